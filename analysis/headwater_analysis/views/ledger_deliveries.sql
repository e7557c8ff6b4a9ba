-- What handlers made of messages sent in a stretch of time, one row a message and group. A declared retry is no duplicate.
-- What only few rows need, such as the last delivery, is left in the list: finding it here would cost more than all.
create macro ledger_deliveries(of_topic, of_group, seen_since, seen_until) as table
select
    coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster, h.topic, coalesce(h.incarnation, 1) as incarnation,
    h.partition, h.message_offset, h.consumer_group,
    count(*) as deliveries,
    count(*) filter (h.status != 'error') as ended_well,
    count(*) filter (h.status != 'error' and coalesce(h.said_attempt, 1) <= 1) as undeclared,
    min(h.ended_at) filter (h.status != 'error') as done_at,
    max(h.ended_at) as last_ended_at,
    list({'started_at': h.started_at, 'ended_at': h.ended_at, 'trace_id': h.trace_id, 'span_id': h.span_id,
        'service': h.consumer_service, 'attempt': h.attempt, 'status': h.status, 'error_type': h.error_type,
        'undeclared': h.status != 'error' and coalesce(h.said_attempt, 1) <= 1}) as spans
from hops_of_messages(seen_since, seen_until) h
cross join topic_knowledge k
where (of_topic is null or h.topic = of_topic) and (of_group is null or h.consumer_group = of_group)
    and h.consumer_group is not null
group by 1, 2, 3, 4, 5, 6;
