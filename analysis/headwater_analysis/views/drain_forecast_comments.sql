comment on view drain_forecast is
    'One row a partition with lag, of the 500 furthest behind: its rates over the last five minutes, when the lag will be gone, and how long retention leaves the group; of a group that does not surely drain the seconds are NULL';
comment on column drain_forecast.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column drain_forecast.consumer_group is 'consumer group';
comment on column drain_forecast.topic is 'Kafka topic';
comment on column drain_forecast.partition is 'partition';
comment on column drain_forecast.lag is 'end offset minus committed offset';
comment on column drain_forecast.in_rate is 'offsets produced a second, Theil-Sen';
comment on column drain_forecast.out_rate is 'offsets committed a second, Theil-Sen';
comment on column drain_forecast.drain_rate is
    'offsets by which the lag''s lower envelope falls a second, Theil-Sen; negative while it grows';
comment on column drain_forecast.drain_rate_low is
    'lower end of its 90 % interval by block bootstrap; NULL for fewer than seven points';
comment on column drain_forecast.drain_rate_high is 'upper end of that interval';
comment on column drain_forecast.drain_seconds is
    'seconds until the lag is gone; NULL: the interval of drain_rate holds 0 or less, it is not draining at present';
comment on column drain_forecast.drain_seconds_low is 'the same at drain_rate_high';
comment on column drain_forecast.drain_seconds_high is 'the same at drain_rate_low';
comment on column drain_forecast.retention_seconds is
    'seconds until the log start passes the committed offset: by its rate over the last six hours, or by the topic''s retention.ms less lag_seconds, whichever comes first; NULL where neither is known';
comment on column drain_forecast.sampled_at is 'poll it rests on, UTC';
