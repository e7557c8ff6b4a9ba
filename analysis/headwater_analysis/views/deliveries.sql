-- Deliveries: the innermost process span that names the record, one row a (message, group, attempt).
create view deliveries as
select
    coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster,
    h.topic, h.incarnation, h.partition, h.message_offset, h.consumer_group, h.attempt,
    h.consumer_service as service, h.trace_id, h.span_id, h.fetched_at as received_at, h.started_at,
    h.ended_at, h.status, h.error_type, h.redelivered
from hop_rows h
cross join topic_knowledge k;

comment on view deliveries is
    'One row a handing of a message to a handler of a group';
comment on column deliveries.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column deliveries.topic is 'Kafka topic';
comment on column deliveries.incarnation is 'life of the topic of this name, from 1';
comment on column deliveries.partition is 'partition';
comment on column deliveries.message_offset is 'offset';
comment on column deliveries.consumer_group is 'consumer group';
comment on column deliveries.attempt is 'number of the attempt, from 1';
comment on column deliveries.service is 'service that handled it';
comment on column deliveries.trace_id is 'trace of the process span';
comment on column deliveries.span_id is 'the process span';
comment on column deliveries.received_at is
    'when the client had fetched it: end of the poll, UTC; NULL where no poll span tells';
comment on column deliveries.started_at is 'start, UTC';
comment on column deliveries.ended_at is 'end, UTC';
comment on column deliveries.status is 'unset, ok or error';
comment on column deliveries.error_type is 'error.type, else the type of a recorded exception';
comment on column deliveries.redelivered is 'the client saw it before; NULL where nothing tells';
