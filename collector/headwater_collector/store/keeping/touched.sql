-- Every coordinate of which this batch tells something, and all that the store knows of those.
create or replace temp table touched as
select topic, partition, message_offset from new_messages
union
select topic, partition, message_offset from new_deliveries;
