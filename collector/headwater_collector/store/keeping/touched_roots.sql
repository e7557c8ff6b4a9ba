-- The spans without a parent whose cause may depend on those coordinates.
create or replace temp table touched_roots as
select trace_id, span_id from new_claims
union
select c.trace_id, c.span_id from claim_rows c semi join touched t
    on t.message_offset = c.message_offset and t.partition = c.partition and t.topic = c.topic
where c.kind != 'event'
union
select c.trace_id, c.span_id from claim_rows c semi join (
    select topic, partition, message_offset from new_claims where topic is not null and kind != 'event'
) t on t.message_offset = c.message_offset and t.partition = c.partition and t.topic = c.topic
where c.kind != 'event';
