-- What the batch's messaging spans say, their attributes read once.
create or replace temp table new_facts as
select
    b.received_at, b.trace_id, b.span_id, b.parent_span_id, b.service, b.started_at, b.ended_at, b.status,
    b.error_type, coalesce(b.cluster, k.clusters[b.topic]) as cluster, b.topic,
    incarnation_of(k.lives, b.cluster, b.topic, b.started_at) as incarnation,
    b.partition, b.message_offset, b.consumer_group, b.event_id,
    case
        when b.operation in ('process', 'deliver') then 'process'
        when b.operation in ('send', 'publish', 'create') then 'send'
        when b.operation is null and b.kind = 'consumer' then 'process'
        when b.operation is null and b.kind = 'producer' then 'send'
        else b.operation
    end as role,
    json_extract_string(b.attributes, [
        '$."headwater.cause"', '$."headwater.origin"', '$."headwater.retry.origin"', '$."headwater.origin.group"',
        '$."headwater.record.ts"', '$."headwater.record.ts_type"', '$."headwater.ts_inherited"',
        '$."headwater.redelivered"', '$."headwater.retry.attempt"', '$."headwater.retry.due_ms"',
        '$."headwater.dead_letter"', '$."headwater.schema.id"', '$."headwater.key.hash"',
        '$."messaging.message.body.size"', '$."messaging.kafka.message.tombstone"', '$."headwater.offsets"'
    ]) as said
from batch_spans b
cross join topic_knowledge k
where b.topic is not null or contains(b.attributes, '"headwater.');
