-- Flows as far as they arrived before the limit, added up; without those that are kept already, unless their time
-- is over too.
create or replace temp table aged_flows as
select
    flow_id, min(entry) as entry, sum(errors) as errors, sum(dead_letters) as dead_letters,
    min(started_at) as started_at, sum(wait_ns) as wait_ns, sum(work_ns) as work_ns,
    (epoch_ns(max(ended_at)) - epoch_ns(min(started_at))) / 1e6 as total_ms
from flow_parts p
where not shared and replay is null and received_at < (select before from retention_limits) and (
    received_at < (select notable_before from retention_limits)
    or not exists (from kept_traces k where k.trace_id = p.trace_id)
)
group by flow_id;
