-- Where groups stand as of the last poll, one row a group and partition.
create macro ledger_positions(of_topic, of_group) as table
select
    cluster, consumer_group, topic, coalesce(incarnation, 1) as incarnation, partition, committed,
    sampled_at as judged_at
from lag_now
where (of_topic is null or topic = of_topic) and (of_group is null or consumer_group = of_group);
