-- The batch says nothing of messages.
create or replace temp table new_messages as from message_rows limit 0;
create or replace temp table old_hops as from hop_rows limit 0;
create or replace temp table new_hops as
select *, null::varchar as before_trace_id, null::varchar as before_span_id from hop_rows limit 0;
