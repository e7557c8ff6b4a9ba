-- Messages that a group reading their topic has not handled yet: at or after its committed offset, or, where
-- no poll tells, sent in the last quarter of an hour to a topic it had handled messages of before.
create view awaited_messages as
with groups as (
    select coalesce(cluster, send_cluster) as cluster, topic, consumer_group, min(started_at) as since, max(started_at) as newest
    from hop_rows
    where consumer_group is not null
    group by all
), waiting as (
    select m.*, l.consumer_group
    from message_rows m
    join lag_now l
        on l.topic = m.topic and l.partition = m.partition and m.message_offset >= l.committed
        and coalesce(l.cluster = m.cluster, true)
    union all by name
    select m.*, g.consumer_group
    from message_rows m
    join groups g on g.topic = m.topic and m.sent_at >= g.since and coalesce(g.cluster = m.cluster, true)
    where m.sent_at > (select max(sent_at) from message_rows) - interval 15 minutes
        and not exists (
            from lag_now l
            where l.topic = g.topic and l.consumer_group = g.consumer_group and l.committed is not null
        )
)
select w.trace_id, w.span_id, w.cluster, w.topic, w.partition, w.message_offset, w.consumer_group
from waiting w
where not exists (
    from message_transactions x
    where x.trace_id = w.trace_id and x.span_id = w.span_id and x.outcome = 'aborted'
) and not exists (
    from hop_rows h
    where h.topic = w.topic and h.partition = w.partition and h.message_offset = w.message_offset
        and h.consumer_group = w.consumer_group and h.started_at >= w.sent_at - interval 1 second
);
