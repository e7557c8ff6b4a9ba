-- Between which times the parts of flows begin; only of flows that begin at a time or later.
create macro flow_extents(since, of_flows) as table
from (
    select p.flow_id, min(p.started_at) as first_at, max(p.started_at) as last_at
    from flow_parts p
    semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key and f.flow_id = p.flow_id
    where not p.shared and p.replay is null
    group by p.flow_id
    having sum(p.working_spans) > 0
)
where first_at >= coalesce(since::timestamp_ns, timestamp_ns '1677-09-22');
