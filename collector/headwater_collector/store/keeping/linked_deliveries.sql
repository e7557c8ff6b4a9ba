-- Records that they name by their links.
create or replace temp table more_deliveries as
select
    f.received_at, case when f.role = 'process' then 'batch' else f.role end as role,
    coalesce(l.cluster, f.cluster, k.clusters[l.topic]) as cluster, coalesce(l.topic, f.topic) as topic,
    -- A batch of several topics has none itself.
    coalesce(f.incarnation, incarnation_of(k.lives, coalesce(l.cluster, f.cluster), l.topic, f.started_at))
        as incarnation,
    l.partition,
    l.message_offset, f.consumer_group, f.trace_id, f.span_id, f.parent_span_id, f.service, f.started_at, f.ended_at,
    f.status, f.error_type, f.redelivered, f.said_attempt, f.due_at, f.record_at, f.record_time,
    f.transactional as reads_committed
from new_facts f
join batch_links l on l.trace_id = f.trace_id and l.span_id = f.span_id
cross join topic_knowledge k
where f.role in ('process', 'receive') and f.message_offset is null
    and l.partition is not null and l.message_offset is not null and coalesce(l.topic, f.topic) is not null;
create or replace temp view new_deliveries as
from named_deliveries
union all by name
from more_deliveries;
