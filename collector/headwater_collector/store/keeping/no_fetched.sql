-- No poll names a touched record.
create or replace temp table fetched as
select trace_id, span_id, topic, partition, message_offset, ended_at as fetched_at from delivery_rows limit 0;
