-- A delivery is kept once: what it says moves into its hop, and what two times tell goes.
alter table hop_rows rename to hop_rows_1;
create table hop_rows as
with said as (
    from delivery_rows
    qualify row_number() over (
        partition by trace_id, span_id, topic, partition, message_offset, role order by received_at
    ) = 1
)
select
    h.received_at, d.cluster, case when d.cluster is null then h.cluster end as send_cluster, h.topic, h.incarnation,
    h.partition, h.message_offset, h.consumer_group, h.attempt, h.role,
    case when h.role = 'batch' then h.send_trace_id end as owner_trace_id,
    case when h.role = 'batch' then h.send_span_id end as owner_span_id,
    h.send_trace_id, h.send_span_id, h.producer_service, h.trace_id, h.span_id, d.parent_span_id, h.consumer_service,
    h.sent_at, h.available_at, h.fetched_at, h.started_at, h.ended_at, h.status, h.error_type, h.redelivered,
    d.attempt as said_attempt, d.due_at, d.record_at, d.record_time, h.send_ns, h.wait_ns, h.backoff_ns,
    h.wait_method, h.wait_bound_ns
from hop_rows_1 h
left join said d on d.message_offset = h.message_offset and d.span_id = h.span_id and d.trace_id = h.trace_id
    and d.topic = h.topic and d.partition = h.partition and d.role = h.role;
alter table hop_rows alter column received_at set not null;
drop table hop_rows_1;
