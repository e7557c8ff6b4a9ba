-- Every message sent in a stretch of time, one row each: by the send span of its coordinates, else by being handled.
-- Of two sends of one coordinate, the later one counts: that is the one a group can have read.
create macro ledger_messages(of_topic, seen_since, seen_until) as table
with sent as (
    select
        coalesce(m.cluster, k.clusters[m.topic]) as cluster, m.topic, coalesce(m.incarnation, 1) as incarnation,
        m.partition, m.message_offset,
        max_by({'trace_id': m.trace_id, 'span_id': m.span_id, 'sent_at': m.sent_at, 'available_at': m.available_at,
            'event_id': case when m.origin is null then m.event_id end}, m.sent_at) as send
    from message_rows m
    cross join topic_knowledge k
    where m.sent_at >= seen_since::timestamp_ns and m.sent_at < seen_until::timestamp_ns
        and (of_topic is null or m.topic = of_topic)
    group by 1, 2, 3, 4, 5
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
select
    cluster, topic, incarnation, partition, message_offset, send.sent_at as sent_at,
    send.available_at as available_at, send.trace_id as trace_id, send.span_id as span_id, send.event_id as event_id
from sent
union all
select cluster, topic, incarnation, partition, message_offset, null, seen_at, null, null, null
from handled h
where not exists (
    from sent s
    where s.topic = h.topic and s.partition = h.partition and s.message_offset = h.message_offset
        and s.incarnation = h.incarnation
);
