-- Every message sent in a stretch of time, one row each: by the send span of its coordinates, else by being handled.
-- Of two sends of one coordinate, the later one counts: that is the one a group can have read.
create macro ledger_messages(of_topic, seen_since, seen_until) as table
with sends as materialized (
    select
        coalesce(m.cluster, k.clusters[m.topic]) as cluster, m.topic, coalesce(m.incarnation, 1) as incarnation,
        m.partition, m.message_offset, m.sent_at, m.available_at, m.trace_id, m.span_id,
        case when m.origin is null then m.event_id end as event_id, hash(m.topic, m.partition, m.message_offset) as place
    from message_rows m
    cross join topic_knowledge k
    where m.sent_at >= seen_since::timestamp_ns and m.sent_at < seen_until::timestamp_ns
        and (of_topic is null or m.topic = of_topic)
), several as (
    -- Few coordinates have more than one send: only these are grouped by all their columns.
    select place from sends group by place having count(*) > 1
), sent as (
    select * exclude (place) from sends anti join several using (place)
    union all
    select cluster, topic, incarnation, partition, message_offset, unnest(max_by({'sent_at': sent_at,
        'available_at': available_at, 'trace_id': trace_id, 'span_id': span_id, 'event_id': event_id}, sent_at))
    from sends semi join several using (place)
    group by cluster, topic, incarnation, partition, message_offset
), handled as (
    select
        coalesce(h.cluster, k.clusters[h.topic]) as cluster, h.topic, coalesce(h.incarnation, 1) as incarnation,
        h.partition, h.message_offset, min(coalesce(h.record_at, h.started_at)) as seen_at
    from hop_rows h
    cross join topic_knowledge k
    where h.send_span_id is null and h.started_at >= seen_since::timestamp_ns and h.started_at < seen_until::timestamp_ns
        and (of_topic is null or h.topic = of_topic)
    group by 1, 2, 3, 4, 5
)
from sent
union all
select cluster, topic, incarnation, partition, message_offset, null, seen_at, null, null, null
from handled h
where not exists (
    from sends s
    where s.topic = h.topic and s.partition = h.partition and s.message_offset = h.message_offset
        and s.incarnation = h.incarnation
);
