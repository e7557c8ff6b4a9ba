-- A group on a topic as of the last poll.
create view group_health as
select
    cluster, consumer_group, topic, status, evidence, since, lag, lag_seconds, lag_method, lag_error_seconds,
    partitions, worst_partition, state, members, in_rate, out_rate, sampled_at
from group_health_now;

comment on view group_health is
    'One row a consumer group on a topic, now';
comment on column group_health.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column group_health.consumer_group is 'consumer group';
comment on column group_health.topic is 'Kafka topic';
comment on column group_health.status is 'verdict of the first health rule that applies';
comment on column group_health.evidence is 'one sentence with the numbers behind the verdict';
comment on column group_health.since is 'since when the verdict holds, UTC';
comment on column group_health.lag is 'sum over its partitions';
comment on column group_health.lag_seconds is
    'age of the oldest message not yet committed, in seconds, by lag_method';
comment on column group_health.lag_method is
    'record, record_unchecked, span, interpolated or at_least: how lag_seconds was got';
comment on column group_health.lag_error_seconds is 'how far lag_seconds can be wrong, in seconds';
comment on column group_health.partitions is 'partitions judged';
comment on column group_health.worst_partition is 'partition with the worst verdict';
comment on column group_health.state is 'state the group coordinator reports';
comment on column group_health.members is 'members of the group';
comment on column group_health.in_rate is 'messages produced a second';
comment on column group_health.out_rate is 'messages committed a second';
comment on column group_health.sampled_at is 'poll it rests on, UTC';
