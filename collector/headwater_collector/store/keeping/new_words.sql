-- What the batch's spans say in attributes that no column holds, read once and only where there is something to read:
-- looking for a key's text costs a tenth of reading the JSON, and looking for its rarer end first a third of that.
-- said: cause, record.ts, record.ts_type, ts_inherited, redelivered, schema.id, key.hash, offsets.
-- moved (retries and dead letters): origin, retry.origin, origin.group, retry.attempt, retry.due_ms, dead_letter.
-- body, of whatever may be a send: size, tombstone.
-- transactional: a send is part of a transaction, anything else reads only what transactions committed.
create or replace temp table new_words as
with looked as (
    select
        row, attributes, topic is null as topicless,
        contains(attributes, 'water.') and contains(attributes, '"headwater.') as told,
        kind = 'producer' or coalesce(operation, '') in ('send', 'publish', 'create') as sent
    from batch_spans
)
select
    row, told and topicless as topicless,
    case when told then json_extract_string(attributes, [
        '$."headwater.cause"', '$."headwater.record.ts"', '$."headwater.record.ts_type"',
        '$."headwater.ts_inherited"', '$."headwater.redelivered"', '$."headwater.schema.id"',
        '$."headwater.key.hash"', '$."headwater.offsets"'
    ]) end as said,
    case when told then
        case when contains(attributes, '"headwater.retry.') or contains(attributes, '"headwater.origin')
            or contains(attributes, '"headwater.dead_letter')
        then json_extract_string(attributes, [
            '$."headwater.origin"', '$."headwater.retry.origin"', '$."headwater.origin.group"',
            '$."headwater.retry.attempt"', '$."headwater.retry.due_ms"', '$."headwater.dead_letter"'
        ]) end
    end as moved,
    case when sent then json_extract_string(attributes, [
        '$."messaging.message.body.size"', '$."messaging.kafka.message.tombstone"'
    ]) end as body,
    case
        when not told then null
        when sent then contains(attributes, '"headwater.txn.id"')
        else contains(attributes, '"read_committed"')
    end as transactional
from looked
where told or (sent and not topicless);
