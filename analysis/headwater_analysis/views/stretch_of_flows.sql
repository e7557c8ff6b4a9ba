-- Between which times parts of flows begin, at least: by their keys alone, so that no text is read of all parts.
create macro stretch_of_flows(of_flows) as table
select min(p.started_at) as seen_since, max(p.started_at) as seen_until
from flow_parts p
semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key;
