-- Between which times the parts of flows lie, at least: by their keys alone, so that no text is read of all parts. Of
-- none it is a stretch that holds nothing: a NULL would leave the scan without a limit.
create macro stretch_of_flows(of_flows) as table
select coalesce(min(p.started_at), timestamp_ns '2262-04-11') as seen_since,
    coalesce(max(p.ended_at), timestamp_ns '1677-09-22') as seen_until
from flow_parts p
semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key;
