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
create or replace temp view touched_deliveries as
from new_deliveries
union all by name
from old_others
union all by name
select
    received_at, role, cluster, topic, incarnation, partition, message_offset, consumer_group, trace_id, span_id,
    parent_span_id, consumer_service as service, started_at, ended_at, status, error_type, redelivered,
    said_attempt, due_at, record_at, record_time
from old_hops;
-- Coordinates with more than one send, or more than one handling in a group, whose ends have to be told apart.
create or replace temp table crowded as
with ends as (
    select topic, partition, message_offset, true as sent, null as consumer_group from touched_sends
    union all
    select topic, partition, message_offset, false, coalesce(consumer_group, '') from touched_deliveries
    where role in ('process', 'batch')
)
select topic, partition, message_offset
from ends
group by topic, partition, message_offset
having count(*) filter (sent) > 1 or count(*) filter (not sent) > count(distinct consumer_group)
    or (count(*) filter (not sent) > 1 and bool_or(consumer_group = ''));
