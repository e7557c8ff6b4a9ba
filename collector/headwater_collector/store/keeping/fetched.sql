-- When the client had fetched each delivery: the end of the last poll before it that names its record.
create or replace temp table polls as
from touched_deliveries where role = 'receive';
create or replace temp table fetched as
select d.trace_id, d.span_id, d.topic, d.partition, d.message_offset, max(r.ended_at) as fetched_at
from all_paired d
join polls r on r.message_offset = d.message_offset and r.partition = d.partition and r.topic = d.topic
where coalesce(r.consumer_group = d.consumer_group, true) and r.service is not distinct from d.service
    and r.ended_at <= d.started_at
group by all;
insert into delivery_rows by name from polls;
