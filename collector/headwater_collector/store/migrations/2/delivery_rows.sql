-- Only what is no hop stays.
alter table delivery_rows rename to delivery_rows_1;
create table delivery_rows as
select
    d.received_at, d.role, d.cluster, d.topic, d.incarnation, d.partition, d.message_offset, d.consumer_group,
    d.trace_id, d.span_id, d.parent_span_id, d.service, d.started_at, d.ended_at, d.status, d.error_type,
    d.redelivered, d.attempt as said_attempt, d.due_at, d.record_at, d.record_time
from delivery_rows_1 d
anti join hop_rows h on d.message_offset = h.message_offset and d.span_id = h.span_id and d.trace_id = h.trace_id
    and d.topic = h.topic and d.partition = h.partition and d.role = h.role;
alter table delivery_rows alter column received_at set not null;
drop table delivery_rows_1;
