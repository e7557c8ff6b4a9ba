-- Limits as the ledger judges by them.
create view learned_limits as
from learned_limits_since(null, null, learning_since());

comment on view learned_limits is
    'One row a pathway and hop (topic, group): how long its messages wait and are worked on, and from when on that is too long; learned over the last three days, of at most some hundred thousand deliveries';
comment on column learned_limits.pathway_id is 'the pathway';
comment on column learned_limits.entry_service is 'service of the pathway''s first span';
comment on column learned_limits.entry_name is 'name of the pathway''s first span';
comment on column learned_limits.topic is 'Kafka topic';
comment on column learned_limits.consumer_group is 'consumer group';
comment on column learned_limits.wait_observations is 'first deliveries whose wait is known, planned back-off included';
comment on column learned_limits.wait_p999_ms is '99.9th percentile of their waits in milliseconds; NULL without any';
comment on column learned_limits.wait_limit_ms is
    'three times that: a message that waits longer is stuck; NULL below 200 observations';
comment on column learned_limits.work_observations is 'deliveries that ended without error';
comment on column learned_limits.work_p999_ms is
    '99.9th percentile of their handling in milliseconds; NULL without any';
comment on column learned_limits.work_limit_ms is
    'three times that: a message handled longer is stuck; NULL below 200 observations';
comment on column learned_limits.first_seen is 'start of the first delivery learned from, UTC';
comment on column learned_limits.last_seen is 'start of the newest delivery learned from, UTC';
