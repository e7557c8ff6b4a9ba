-- All that those spans say of their cause, and every other coordinate that they name: a cause is weighed as a whole.
create or replace temp table touched_claims as
select c.* from claim_rows c semi join touched_roots r on r.span_id = c.span_id and r.trace_id = c.trace_id
union all
from new_claims;
insert into touched
select distinct topic, partition, message_offset
from touched_claims c
anti join touched t
    on t.message_offset = c.message_offset and t.partition = c.partition and t.topic = c.topic
where topic is not null and kind != 'event';
insert into claim_rows by name from new_claims;
