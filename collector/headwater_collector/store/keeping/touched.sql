-- Every coordinate of which this batch tells something; the spans without a parent whose cause may depend on
-- those; and every other coordinate that these spans name, so that their causes can be weighed as a whole.
create or replace temp table told as
select topic, partition, message_offset from new_messages
union
select topic, partition, message_offset from new_deliveries
union
select topic, partition, message_offset from new_claims where topic is not null;
create or replace temp table touched_roots as
select trace_id, span_id from new_claims
union
select c.trace_id, c.span_id from claim_rows c semi join told t
    on t.message_offset = c.message_offset and t.partition = c.partition and t.topic = c.topic;
create or replace temp table touched_claims as
select c.* from claim_rows c semi join touched_roots r on r.span_id = c.span_id and r.trace_id = c.trace_id
union all
from new_claims;
create or replace temp table touched as
from told
union
select topic, partition, message_offset from touched_claims where topic is not null;
create or replace temp table touched_sends as
select m.* from message_rows m semi join touched t
    on t.message_offset = m.message_offset and t.partition = m.partition and t.topic = m.topic;
create or replace temp table touched_deliveries as
select d.*, false as is_new from delivery_rows d semi join touched t
    on t.message_offset = d.message_offset and t.partition = d.partition and t.topic = d.topic
union all by name
select *, true as is_new from new_deliveries;
insert into claim_rows by name from new_claims;
insert into delivery_rows by name from new_deliveries;
insert into range_rows by name from new_ranges;
