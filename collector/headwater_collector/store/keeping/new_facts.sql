-- What the batch's messaging spans say, their attributes read once, and only where there is something to read:
-- looking for a key's text costs a tenth of reading the JSON.
-- said: cause, record.ts, record.ts_type, ts_inherited, redelivered, schema.id, key.hash, offsets.
-- moved (retries and dead letters): origin, retry.origin, origin.group, retry.attempt, retry.due_ms, dead_letter.
-- body: size, tombstone.
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
    case when contains(b.attributes, '"headwater.') then json_extract_string(b.attributes, [
        '$."headwater.cause"', '$."headwater.record.ts"', '$."headwater.record.ts_type"',
        '$."headwater.ts_inherited"', '$."headwater.redelivered"', '$."headwater.schema.id"',
        '$."headwater.key.hash"', '$."headwater.offsets"'
    ]) end as said,
    case when contains(b.attributes, '"headwater.') then
        case when contains(b.attributes, '"headwater.retry.') or contains(b.attributes, '"headwater.origin')
            or contains(b.attributes, '"headwater.dead_letter')
        then json_extract_string(b.attributes, [
            '$."headwater.origin"', '$."headwater.retry.origin"', '$."headwater.origin.group"',
            '$."headwater.retry.attempt"', '$."headwater.retry.due_ms"', '$."headwater.dead_letter"'
        ]) end
    end as moved,
    case when role = 'send' then json_extract_string(b.attributes, [
        '$."messaging.message.body.size"', '$."messaging.kafka.message.tombstone"'
    ]) end as body
from batch_spans b
cross join topic_knowledge k
where b.topic is not null or contains(b.attributes, '"headwater.');
-- The batch's spans without a parent, whose causes are looked for: few, so that joins with them cost little.
create or replace temp table new_roots as
select received_at, trace_id, span_id, service, started_at from batch_spans where parent_span_id is null;
