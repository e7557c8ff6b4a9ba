-- Every send and every delivery of the touched coordinates.
create or replace temp table touched_sends as
select m.* from message_rows m semi join touched t
    on t.message_offset = m.message_offset and t.partition = m.partition and t.topic = m.topic;
create or replace temp table touched_deliveries as
select d.*, false as is_new from delivery_rows d semi join touched t
    on t.message_offset = d.message_offset and t.partition = d.partition and t.topic = d.topic
union all by name
select *, true as is_new from new_deliveries;
insert into delivery_rows by name from new_deliveries;
-- Coordinates with more than one send, or more than one delivery in a group, whose ends have to be told apart.
create or replace temp table crowded as
with ends as (
    select topic, partition, message_offset, true as sent, null as consumer_group from touched_sends
    union all
    select topic, partition, message_offset, false, coalesce(consumer_group, '') from touched_deliveries
)
select topic, partition, message_offset
from ends
group by topic, partition, message_offset
having count(*) filter (sent) > 1 or count(*) filter (not sent) > count(distinct consumer_group)
    or (count(*) filter (not sent) > 1 and bool_or(consumer_group = ''));
