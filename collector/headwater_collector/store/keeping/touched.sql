-- Every coordinate of which this batch tells something, and all that the store knows of those; some of them
-- twice, which costs less than to find out.
create or replace temp table touched as
select topic, partition, message_offset from new_messages
union all
select topic, partition, message_offset from new_deliveries
union all
select topic, partition, message_offset from ended_sends where message_offset is not null;
