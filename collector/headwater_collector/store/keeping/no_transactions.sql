-- No transaction is touched.
create or replace temp table ended_sends as
select received_at, trace_id, span_id, topic, partition, message_offset, dead_letter, false as aborted
from transacted_rows limit 0;
