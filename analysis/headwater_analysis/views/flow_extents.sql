-- When the first part of each flow begins and the last one ends; only of flows that begin at a time or later.
create macro flow_extents(since, of_flows) as table
with stretch as materialized (
    from stretch_of_flows(of_flows)
)
from (
    select flow_id, min(started_at) as first_at, max(ended_at) as last_at
    from flow_parts_of('named', of_flows, (select seen_since from stretch), (select seen_until from stretch))
    group by flow_id
    having sum(working_spans) > 0
)
where first_at >= coalesce(since::timestamp_ns, timestamp_ns '1677-09-22');
