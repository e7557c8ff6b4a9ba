-- The batch changes no hop.
create or replace temp view changed_hops as
select received_at, trace_id, hops, dead_letters, messages, doubtful, wait_ns, work_ns, backoff_ns from flow_parts limit 0;
