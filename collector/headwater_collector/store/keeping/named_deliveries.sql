-- Records that the batch's consumer spans name by their own coordinates. A view, as all on the way to the hops is:
-- writing it down would cost more than asking it again.
create or replace temp view named_deliveries as
select
    received_at, role, cluster, topic, incarnation, partition, message_offset, consumer_group, trace_id, span_id,
    parent_span_id, service, started_at, ended_at, status, error_type, redelivered, said_attempt, due_at, record_at,
    record_time, transactional as reads_committed
from new_facts
where role in ('process', 'receive') and topic is not null and partition is not null and message_offset is not null;
