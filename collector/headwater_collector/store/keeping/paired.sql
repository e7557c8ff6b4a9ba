-- Deliveries with the send of their message, where there is but one of each. A missing cluster or incarnation
-- fits any; that is asked after the join, since a join on equality alone is many times cheaper. A view: nearly
-- all deliveries go this way, and writing them down once more would cost as much as finding them.
create or replace temp view paired as
with met as (
    select
        d.*, m.trace_id as send_trace_id, m.span_id as send_span_id, m.service as producer_service, m.sent_at,
        m.available_at as acked_at, m.committed_at, m.cluster as send_cluster,
        coalesce(m.cluster = d.cluster, true) and coalesce(m.incarnation = d.incarnation, true) as fits
    from touched_deliveries d
    anti join crowded c
        on c.message_offset = d.message_offset and c.partition = d.partition and c.topic = d.topic
    left join touched_sends m
        on m.message_offset = d.message_offset and m.partition = d.partition and m.topic = d.topic
    where d.role in ('process', 'batch')
)
select
    * exclude (fits) replace (
        case when fits then send_trace_id end as send_trace_id,
        case when fits then send_span_id end as send_span_id,
        case when fits then producer_service end as producer_service,
        case when fits then sent_at end as sent_at,
        case when fits then acked_at end as acked_at,
        case when fits then committed_at end as committed_at,
        case when fits then send_cluster end as send_cluster
    ),
    1 as nth,
    null::timestamp_ns as before_started_at, null::timestamp_ns as before_ended_at,
    null::varchar as before_trace_id, null::varchar as before_span_id
from met;
