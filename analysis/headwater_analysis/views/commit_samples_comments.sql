-- commit_samples is a table of its own and public as it is.
comment on table commit_samples is 'One row a poll of a group on a partition';
comment on column commit_samples.sampled_at is 'when Kafka was asked, UTC';
comment on column commit_samples.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column commit_samples.consumer_group is 'consumer group';
comment on column commit_samples.topic is 'Kafka topic';
comment on column commit_samples.incarnation is 'life of the topic of this name, from 1';
comment on column commit_samples.partition is 'partition';
comment on column commit_samples.committed is 'committed offset; NULL without a commit, and once when the group has left the partition';
comment on column commit_samples.lag is 'end offset minus committed offset; NULL without a commit';
comment on column commit_samples.lag_seconds is 'age of the oldest message not yet committed, in seconds, by lag_method';
comment on column commit_samples.lag_method is 'record, record_unchecked, span, interpolated or at_least: how lag_seconds was got';
