-- Every send and every delivery of the touched coordinates. A delivery is kept once: in its hop, or, where it has
-- none, in delivery_rows.
create or replace temp table touched_sends as
with committed as (
    select x.trace_id, x.span_id, max(t.ended_at) as committed_at
    from (
        select r.* from transacted_rows r semi join touched t
            on t.message_offset = r.message_offset and t.partition = r.partition and t.topic = r.topic
    ) x
    join transaction_rows t on t.trace_id = x.transaction_trace_id and t.span_id = x.transaction_span_id
    where t.outcome = 'committed'
    group by x.trace_id, x.span_id
)
select m.*, c.committed_at
from message_rows m
semi join touched t on t.message_offset = m.message_offset and t.partition = m.partition and t.topic = m.topic
left join committed c on c.trace_id = m.trace_id and c.span_id = m.span_id;
create or replace temp table old_hops as
select h.* from hop_rows h semi join touched t
    on t.message_offset = h.message_offset and t.partition = h.partition and t.topic = h.topic;
create or replace temp table old_others as
select d.* from delivery_rows d semi join touched t
    on t.message_offset = d.message_offset and t.partition = d.partition and t.topic = d.topic;
