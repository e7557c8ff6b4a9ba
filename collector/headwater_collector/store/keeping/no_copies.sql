-- No message is a copy of another by its event's id alone.
create or replace temp table copies as
select trace_id, span_id, event_id, sent_at, topic as line from message_rows limit 0;
