-- group_samples is a table of its own and public as it is.
comment on table group_samples is 'One row a poll of a group';
comment on column group_samples.sampled_at is 'when Kafka was asked, UTC';
comment on column group_samples.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column group_samples.consumer_group is 'consumer group';
comment on column group_samples.state is 'state the group coordinator reports; dead once when the group is gone';
comment on column group_samples.protocol is 'classic or consumer';
comment on column group_samples.members is 'members of the group';
comment on column group_samples.assignment is 'member → its partitions, as JSON';
