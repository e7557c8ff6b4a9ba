-- A group on a partition as of the last poll.
create view lag as
select
    cluster, consumer_group, topic, incarnation, partition, lag, readable_lag, lag_seconds, lag_method,
    lag_error_seconds, status, evidence, since, in_rate, out_rate, drain_seconds, log_start, end_offset,
    stable_offset, committed, member, sampled_at
from lag_now;

comment on view lag is
    'One row a consumer group on a partition, now';
comment on column lag.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column lag.consumer_group is 'consumer group';
comment on column lag.topic is 'Kafka topic';
comment on column lag.incarnation is 'life of the topic of this name, from 1';
comment on column lag.partition is 'partition';
comment on column lag.lag is 'end offset minus committed offset; NULL without a commit';
comment on column lag.readable_lag is 'last stable offset minus committed offset';
comment on column lag.lag_seconds is 'age of the oldest message not yet committed, in seconds, by lag_method';
comment on column lag.lag_method is
    'record, record_unchecked, span, interpolated or at_least: how lag_seconds was got';
comment on column lag.lag_error_seconds is 'how far lag_seconds can be wrong, in seconds';
comment on column lag.status is 'verdict of the first health rule that applies';
comment on column lag.evidence is 'one sentence with the numbers behind the verdict';
comment on column lag.since is 'since when the verdict holds, UTC';
comment on column lag.in_rate is 'messages produced a second';
comment on column lag.out_rate is 'messages committed a second';
comment on column lag.drain_seconds is
    'seconds until the lag is gone, by each poll''s own slope of its lower envelope, where that surely falls (95 %); NULL elsewhere. The same figure as in drain_forecast within its interval, for every partition, without an interval';
comment on column lag.log_start is 'first offset still kept';
comment on column lag.end_offset is 'end offset (high watermark)';
comment on column lag.stable_offset is 'last stable offset';
comment on column lag.committed is 'committed offset';
comment on column lag.member is 'client that owns the partition; NULL when nobody does';
comment on column lag.sampled_at is 'poll it rests on, UTC';
