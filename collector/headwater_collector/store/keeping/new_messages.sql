-- Send spans that know where their record went.
create or replace temp table new_messages as
select
    received_at, cluster, topic, incarnation, partition, message_offset, trace_id, span_id, service,
    started_at as sent_at, ended_at as available_at, status, event_id, said[7] as key_hash,
    try_cast(body[1] as bigint) as size, said[6] as schema_id, body[2] = 'true' as tombstone,
    coalesce(moved[6] = 'true', false)
        or regexp_matches(topic, '(^|[._-])(dlt|DLT|dlq|DLQ|dead-?letters?)($|[._-])') as dead_letter,
    coalesce(moved[1], moved[2]) as origin, moved[3] as origin_group
from new_facts
left join new_words using (row)
where role = 'send' and topic is not null and partition is not null and message_offset is not null;
insert into message_rows by name from new_messages;
