-- How the lag of one group on one topic went, poll by poll.
create macro lag_history(of_group, of_topic, since) as table
select c.sampled_at, c.partition, c.lag, c.lag_seconds, c.committed,
    coalesce(c.committed + c.lag, o.end_offset) as end_offset
from commit_samples c
asof left join offset_samples o
    on o.cluster is not distinct from c.cluster and o.topic = c.topic and o.partition = c.partition
    and o.sampled_at <= c.sampled_at
where c.consumer_group = of_group and c.topic = of_topic and c.sampled_at >= since::timestamp;

comment on macro table lag_history is
    'lag_history(consumer_group, topic, since): sampled_at, partition, lag, lag_seconds, committed, end_offset, one row a poll and partition';
