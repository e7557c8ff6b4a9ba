-- What handlers hold now, by their processes' last reports. A report not renewed for three exports is void.
create view in_flight as
select
    k.clusters[h.topic] as cluster, h.topic, h.partition, h.message_offset, h.consumer_group, h.service, h.instance,
    h.since, epoch((now() at time zone 'UTC') - h.since) as held_seconds, h.sampled_at
from held_rows h
join reporter_rows r on r.service = h.service and r.instance = h.instance and r.sampled_at = h.sampled_at
cross join topic_knowledge k
where (now() at time zone 'UTC') - r.sampled_at
    < 3 * greatest(coalesce(r.sampled_at - r.before_at, interval 60 seconds), interval 5 seconds);

comment on view in_flight is
    'One row a partition of which a handler holds a message now: the lowest offset that it holds';
comment on column in_flight.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column in_flight.topic is 'Kafka topic';
comment on column in_flight.partition is 'partition';
comment on column in_flight.message_offset is 'lowest offset held';
comment on column in_flight.consumer_group is 'consumer group';
comment on column in_flight.service is 'service that handles it';
comment on column in_flight.instance is 'service.instance.id of the process';
comment on column in_flight.since is 'since when it is held, UTC, by the clock of the process';
comment on column in_flight.held_seconds is 'for how long by now, in seconds';
comment on column in_flight.sampled_at is 'when the process said so, UTC';
