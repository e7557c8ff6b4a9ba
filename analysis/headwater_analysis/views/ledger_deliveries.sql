-- What handlers made of messages sent in a stretch of time, one row a message and group. A declared retry is no duplicate.
-- What only few rows need, such as the last delivery, is left in the list: finding it here would cost more than all.
create macro ledger_deliveries(of_topic, of_group, seen_since, seen_until) as table
with handlings as materialized (
    select
        coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster, h.topic,
        coalesce(h.incarnation, 1) as incarnation, h.partition, h.message_offset, h.consumer_group,
        h.ended_at, h.status != 'error' as well, well and coalesce(h.said_attempt, 1) <= 1 as undeclared,
        {'started_at': h.started_at, 'ended_at': h.ended_at, 'trace_id': h.trace_id, 'span_id': h.span_id,
            'service': h.consumer_service, 'attempt': h.attempt, 'status': h.status, 'error_type': h.error_type,
            'undeclared': undeclared} as span,
        hash(h.topic, h.partition, h.message_offset, h.consumer_group) as place
    from hops_of_messages(seen_since, seen_until) h
    cross join topic_knowledge k
    where (of_topic is null or h.topic = of_topic) and (of_group is null or h.consumer_group = of_group)
        and h.consumer_group is not null
), several as (
    -- Most are handled once, and only the others are grouped by all their columns.
    select place from handlings group by place having count(*) > 1
)
select
    cluster, topic, incarnation, partition, message_offset, consumer_group,
    1::bigint as deliveries, case when well then 1 else 0 end::bigint as ended_well,
    case when undeclared then 1 else 0 end::bigint as undeclared, case when well then ended_at end as done_at,
    ended_at as last_ended_at, [span] as spans
from handlings
anti join several using (place)
union all
select
    cluster, topic, incarnation, partition, message_offset, consumer_group,
    count(*), count(*) filter (well), count(*) filter (undeclared), min(ended_at) filter (well), max(ended_at), list(span)
from handlings
semi join several using (place)
group by 1, 2, 3, 4, 5, 6;
