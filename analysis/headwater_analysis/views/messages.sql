-- Messages whose send span knows where they went.
create view messages as
select
    coalesce(m.cluster, k.clusters[m.topic]) as cluster,
    m.topic, m.incarnation, m.partition, m.message_offset, m.sent_at, m.available_at, m.service,
    m.trace_id, m.span_id, m.event_id, m.key_hash, m.size, m.schema_id, m.tombstone, m.status
from message_rows m
cross join topic_knowledge k;

comment on view messages is
    'One row a message whose sending was seen';
comment on column messages.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column messages.topic is 'Kafka topic';
comment on column messages.incarnation is 'life of the topic of this name, from 1';
comment on column messages.partition is 'partition';
comment on column messages.message_offset is 'offset';
comment on column messages.sent_at is 'start of the send span, UTC';
comment on column messages.available_at is 'acknowledgement: end of the send span, UTC';
comment on column messages.service is 'service that sent it';
comment on column messages.trace_id is 'trace of the send span';
comment on column messages.span_id is 'the send span';
comment on column messages.event_id is 'id of the event, the same over its retries, dead letters and replays';
comment on column messages.key_hash is 'keyed hash of the key; NULL unless switched on';
comment on column messages.size is 'bytes of the value';
comment on column messages.schema_id is 'schema id found in the value or a header';
comment on column messages.tombstone is 'the value is null';
comment on column messages.status is 'status of the send span';
