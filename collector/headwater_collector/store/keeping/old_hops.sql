-- Hops of touched coordinates as they were, which the new ones replace.
create or replace temp table old_hops as
select h.* from hop_rows h semi join touched t
    on t.message_offset = h.message_offset and t.partition = h.partition and t.topic = h.topic;
delete from hop_rows h using touched t
where t.message_offset = h.message_offset and t.partition = h.partition and t.topic = h.topic;
