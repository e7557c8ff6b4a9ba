-- Send spans that know where their record went.
create or replace temp table new_messages as
select
    received_at, cluster, topic, incarnation, partition, message_offset, trace_id, span_id, service,
    started_at as sent_at, ended_at as available_at, status, event_id, said[13] as key_hash,
    try_cast(said[14] as bigint) as size, said[12] as schema_id, said[15] = 'true' as tombstone,
    coalesce(said[11] = 'true', false)
        or regexp_matches(topic, '(^|[._-])(dlt|DLT|dlq|DLQ|dead-?letters?)($|[._-])') as dead_letter,
    coalesce(said[2], said[3]) as origin, said[4] as origin_group
from new_facts
where role = 'send' and topic is not null and partition is not null and message_offset is not null;
insert into message_rows by name from new_messages;
