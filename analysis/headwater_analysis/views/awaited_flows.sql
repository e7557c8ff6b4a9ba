-- Flows of which a group that reads the topic has not handled a message yet: one at or after its committed offset, or,
-- where no poll tells, one sent in the last quarter of an hour to a topic it had handled messages of before. Of every
-- flow, or of some that begin at a time or later, as their messages do. Which groups read a topic is looked for among
-- all hops, and only where such a message waits.
create macro awaited_flows(every, of_flows, seen_since) as table
with sent as not materialized (
    from message_rows where every
    union all
    select m.* from message_rows m join (select seen_since as since) seen on m.sent_at >= seen.since where not every
    union all
    from message_rows where not every and sent_at is null
), lately as materialized (
    select m.*
    from sent m
    where m.sent_at > (select max(sent_at) from message_rows) - interval 15 minutes
), held as materialized (
    from lately where every
    union all
    select m.*
    from lately m
    left join split_flows f on f.trace_id = m.trace_id and f.span_id = m.span_id
    where not every and coalesce(f.flow_id, m.trace_id) in (select unnest(of_flows::varchar[]))
), groups as (
    select coalesce(cluster, send_cluster) as cluster, topic, consumer_group, min(started_at) as since
    from hop_rows
    semi join (select distinct topic from held) t on t.topic = hop_rows.topic
    where consumer_group is not null
    group by all
), waiting as (
    select m.*, l.consumer_group
    from sent m
    join lag_now l
        on l.topic = m.topic and l.partition = m.partition and m.message_offset >= l.committed
        and coalesce(l.cluster = m.cluster, true)
    union all by name
    select m.*, g.consumer_group
    from held m
    join groups g on g.topic = m.topic and m.sent_at >= g.since and coalesce(g.cluster = m.cluster, true)
    where not exists (
        from lag_now l
        where l.topic = g.topic and l.consumer_group = g.consumer_group and l.committed is not null
    )
)
select distinct coalesce(f.flow_id, w.trace_id) as flow_id
from waiting w
left join split_flows f on f.trace_id = w.trace_id and f.span_id = w.span_id
where f.replay is null and not exists (
    from message_transactions x
    where x.trace_id = w.trace_id and x.span_id = w.span_id and x.outcome = 'aborted'
) and not exists (
    from hop_rows h
    where h.topic = w.topic and h.partition = w.partition and h.message_offset = w.message_offset
        and h.consumer_group = w.consumer_group and h.started_at >= w.sent_at - interval 1 second
);
