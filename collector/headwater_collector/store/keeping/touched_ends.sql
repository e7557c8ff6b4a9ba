-- Every send and every delivery of the touched coordinates. A delivery is kept once: in its hop, or, where it has
-- none, in delivery_rows.
create or replace temp table touched_sends as
select m.* from message_rows m semi join touched t
    on t.message_offset = m.message_offset and t.partition = m.partition and t.topic = m.topic;
create or replace temp table old_hops as
select h.* from hop_rows h semi join touched t
    on t.message_offset = h.message_offset and t.partition = h.partition and t.topic = h.topic;
create or replace temp table old_others as
select d.* from delivery_rows d semi join touched t
    on t.message_offset = d.message_offset and t.partition = d.partition and t.topic = d.topic;
