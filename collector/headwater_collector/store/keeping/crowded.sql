-- Coordinates with more than one send, or more than one handling in a group, whose ends have to be told apart.
create or replace temp table crowded as
with ends as materialized (
    select topic, partition, message_offset, coalesce(consumer_group, '') as reader from touched_deliveries
    where role in ('process', 'batch')
    union all
    select topic, partition, message_offset, null from touched_sends
)
select topic, partition, message_offset
from ends
group by topic, partition, message_offset, reader
having count(*) > 1
union
-- Who names no group may be any of the others.
select e.topic, e.partition, e.message_offset
from ends e
semi join (from ends where reader != '') o
    on o.message_offset = e.message_offset and o.partition = e.partition and o.topic = e.topic
where e.reader = '';
