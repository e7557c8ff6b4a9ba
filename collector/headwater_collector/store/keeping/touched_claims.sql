-- The spans without a parent whose cause may depend on those coordinates, all that they say of their cause, and
-- every other coordinate that they name: a cause is weighed as a whole.
create or replace temp table touched_roots as
select trace_id, span_id from new_claims
union
select c.trace_id, c.span_id from claim_rows c semi join touched t
    on t.message_offset = c.message_offset and t.partition = c.partition and t.topic = c.topic
union
select c.trace_id, c.span_id from claim_rows c semi join (
    select topic, partition, message_offset from new_claims where topic is not null
) t on t.message_offset = c.message_offset and t.partition = c.partition and t.topic = c.topic;
create or replace temp table touched_claims as
select c.* from claim_rows c semi join touched_roots r on r.span_id = c.span_id and r.trace_id = c.trace_id
union all
from new_claims;
insert into touched
select distinct topic, partition, message_offset
from touched_claims c
anti join touched t
    on t.message_offset = c.message_offset and t.partition = c.partition and t.topic = c.topic
where topic is not null;
insert into claim_rows by name from new_claims;
