-- Records that the batch's consumer spans name, by their own coordinates or by their links'. A view, as all on the
-- way to the hops is: writing it down would cost more than asking it again.
create or replace temp view named_deliveries as
with named as (
    select
        f.received_at, case when f.role = 'process' then 'batch' else f.role end as role,
        coalesce(l.cluster, f.cluster) as cluster, coalesce(l.topic, f.topic) as topic, f.incarnation,
        l.partition, l.message_offset, f.consumer_group, f.trace_id, f.span_id, f.parent_span_id, f.service,
        f.started_at, f.ended_at, f.status, f.error_type, f.said, f.moved
    from new_facts f
    join batch_links l on l.trace_id = f.trace_id and l.span_id = f.span_id
    where f.role in ('process', 'receive') and f.message_offset is null
        and l.partition is not null and l.message_offset is not null
    union all by name
    select
        received_at, role, cluster, topic, incarnation, partition, message_offset, consumer_group, trace_id,
        span_id, parent_span_id, service, started_at, ended_at, status, error_type, said, moved
    from new_facts
    where role in ('process', 'receive') and partition is not null and message_offset is not null
)
select
    * exclude (said, moved),
    said[5] = 'true' as redelivered,
    try_cast(moved[4] as integer) as said_attempt,
    make_timestamp_ns(try_cast(moved[5] as bigint) * 1000000) as due_at,
    make_timestamp_ns(try_cast(said[2] as bigint) * 1000000) as record_at,
    case
        when coalesce(said[4] = 'true', false) then null
        when said[3] = '1' then 'append'
        when said[2] is not null then 'create'
    end as record_time
from named
where topic is not null;
