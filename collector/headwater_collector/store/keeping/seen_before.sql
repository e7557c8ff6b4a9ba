-- The store has deliveries of touched coordinates: they are weighed again beside the new ones.
create or replace temp view touched_deliveries as
from new_deliveries
union all by name
from old_others
union all by name
select
    received_at, role, cluster, topic, incarnation, partition, message_offset, consumer_group, trace_id, span_id,
    parent_span_id, consumer_service as service, started_at, ended_at, status, error_type, redelivered,
    said_attempt, due_at, record_at, record_time, reads_committed
from old_hops;
