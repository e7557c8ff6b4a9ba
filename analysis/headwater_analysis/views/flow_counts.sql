-- Exact counts of all messages, sampled or not, as instrumented services export them.
create view flow_counts as
select
    sampled_at, counted_since, service, instance, server, direction, k.clusters[topic] as cluster, topic, partition,
    consumer_group, prefix_id, messages, errors, highest_offset, latencies
from flow_count_rows
cross join topic_knowledge k;

comment on view flow_counts is
    'One row an export and a direction, topic, partition, group and way so far: running totals since counted_since';
comment on column flow_counts.sampled_at is 'when the service counted, UTC';
comment on column flow_counts.counted_since is 'since when it counts, UTC; another one is another process';
comment on column flow_counts.service is 'service.name';
comment on column flow_counts.instance is 'service.instance.id of the process';
comment on column flow_counts.server is 'address and port of the first bootstrap server';
comment on column flow_counts.direction is 'out: sent; in: handed to a consumer';
comment on column flow_counts.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column flow_counts.topic is 'Kafka topic; other: keys beyond those that are counted apart';
comment on column flow_counts.partition is 'partition; NULL where it is not known';
comment on column flow_counts.consumer_group is 'consumer group; NULL for what was sent';
comment on column flow_counts.prefix_id is 'hash of the way from the entry to here, as headwater-ctx carries it';
comment on column flow_counts.messages is 'messages';
comment on column flow_counts.errors is 'of them, those that failed; NULL where none did';
comment on column flow_counts.highest_offset is 'highest offset sent or handed out';
comment on column flow_counts.latencies is
    'list of measured (send, wait, work), bucket, messages: bucket i holds seconds in (g^(i-1), g^i], g = 1.01/0.99';
