-- Metrics of messaging from any SDK, and from the OpenTelemetry collector's kafka receiver.
create view messaging_metrics as
select
    sampled_at, counted_since, service, instance, metric, unit, delta, operation, k.clusters[topic] as cluster,
    topic, partition, consumer_group, error_type, server, value, count, sum, bounds, buckets
from metric_rows
cross join topic_knowledge k;

comment on view messaging_metrics is
    'One row a point of a metric named messaging.*, kafka.* or headwater.* that no other relation holds';
comment on column messaging_metrics.sampled_at is 'time of the point, UTC';
comment on column messaging_metrics.counted_since is 'start of the counting, UTC; NULL where the sender gives none';
comment on column messaging_metrics.service is 'service.name';
comment on column messaging_metrics.instance is 'service.instance.id';
comment on column messaging_metrics.metric is 'name of the metric';
comment on column messaging_metrics.unit is 'its unit';
comment on column messaging_metrics.delta is 'true: since the point before; false: since counted_since, or a gauge';
comment on column messaging_metrics.operation is 'operation';
comment on column messaging_metrics.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column messaging_metrics.topic is 'Kafka topic';
comment on column messaging_metrics.partition is 'partition';
comment on column messaging_metrics.consumer_group is 'consumer group';
comment on column messaging_metrics.error_type is 'error.type';
comment on column messaging_metrics.server is 'server address and port; of the kafka receiver''s metrics, the cluster that it names';
comment on column messaging_metrics.value is 'value of a counter or gauge';
comment on column messaging_metrics.count is 'number of observations of a histogram';
comment on column messaging_metrics.sum is 'their sum, in the unit';
comment on column messaging_metrics.bounds is 'upper bounds of its buckets';
comment on column messaging_metrics.buckets is 'observations by bucket, the last one beyond all bounds';
