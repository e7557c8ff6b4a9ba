-- Messages whose send span knows where they went.
create view messages as
select
    coalesce(m.cluster, k.clusters[m.topic]) as cluster,
    m.topic, m.incarnation, m.partition, m.message_offset, m.sent_at,
    greatest(m.available_at, x.committed_at) as available_at, m.service,
    m.trace_id, m.span_id, m.event_id, m.key_hash, m.size, m.schema_id, m.tombstone, m.status,
    x.outcome as transaction_outcome
from message_rows m
left join message_transactions x on x.trace_id = m.trace_id and x.span_id = m.span_id
cross join topic_knowledge k;

comment on view messages is
    'One row a message whose sending was seen';
comment on column messages.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column messages.topic is 'Kafka topic';
comment on column messages.incarnation is 'life of the topic of this name, from 1';
comment on column messages.partition is 'partition';
comment on column messages.message_offset is 'offset';
comment on column messages.sent_at is 'start of the send span, UTC';
comment on column messages.available_at is 'from when on it could be had, UTC: end of its transaction where it was committed, else the acknowledgement';
comment on column messages.service is 'service that sent it';
comment on column messages.trace_id is 'trace of the send span';
comment on column messages.span_id is 'the send span';
comment on column messages.event_id is 'id of the event, the same over its retries, dead letters and replays';
comment on column messages.key_hash is 'keyed hash of the key; NULL unless switched on';
comment on column messages.size is 'bytes of the value';
comment on column messages.schema_id is 'schema id found in the value or a header';
comment on column messages.tombstone is 'the value is null';
comment on column messages.status is 'status of the send span';
comment on column messages.transaction_outcome is
    'committed, aborted (counts in no flow), unknown where ending it failed, open while no end is known; NULL outside of a transaction';
