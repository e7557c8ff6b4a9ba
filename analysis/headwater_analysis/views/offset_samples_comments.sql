-- offset_samples is a table of its own and public as it is.
comment on table offset_samples is 'One row a poll of a partition';
comment on column offset_samples.sampled_at is 'when Kafka was asked, UTC';
comment on column offset_samples.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column offset_samples.topic is 'Kafka topic';
comment on column offset_samples.incarnation is 'life of the topic of this name, from 1';
comment on column offset_samples.partition is 'partition';
comment on column offset_samples.log_start is 'first offset still kept';
comment on column offset_samples.end_offset is 'end offset (high watermark)';
comment on column offset_samples.stable_offset is 'last stable offset';
