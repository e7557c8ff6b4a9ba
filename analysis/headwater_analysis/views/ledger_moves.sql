-- Where polls since a time saw a group's commit, one row a place: when first, and, where retention had taken what lies
-- behind it by then, up to which offset (lost_to).
create macro ledger_moves(of_topic, of_group, seen_since) as table
with polls as (
    select c.cluster, c.consumer_group, c.topic, coalesce(c.incarnation, 1) as incarnation, c.partition, c.sampled_at, c.committed, o.log_start
    from commit_samples c
    asof left join (
        from offset_samples
        where sampled_at >= seen_since::timestamp - interval 1 hour and (of_topic is null or topic = of_topic)
    ) o
        on o.cluster is not distinct from c.cluster and o.topic = c.topic and o.partition = c.partition
        and o.sampled_at <= c.sampled_at
    where c.committed is not null and c.sampled_at >= seen_since::timestamp
        and (of_topic is null or c.topic = of_topic) and (of_group is null or c.consumer_group = of_group)
    union all
    select cluster, consumer_group, topic, coalesce(incarnation, 1), partition, sampled_at, committed, log_start
    from lag_now
    where committed is not null
        and (of_topic is null or topic = of_topic) and (of_group is null or consumer_group = of_group)
)
select
    cluster, consumer_group, topic, incarnation, partition, committed, min(sampled_at) as first_at,
    max(log_start) filter (log_start > committed) as lost_to,
    min(sampled_at) filter (log_start > committed) as lost_at
from polls
group by all;
