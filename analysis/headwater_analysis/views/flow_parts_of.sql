-- The parts of every flow, or of some whose parts begin between two times, without replays, which are runs of their
-- own. A part is shared where a batch joins several flows; it counts in none. Parts without a time hold what was found
-- out about spans of other parts, or spans that lack it.
create macro flow_parts_of(every, of_flows, seen_since, seen_until) as table
from flow_parts
where every and not shared and replay is null
union all
select p.*
from flow_parts p
join (select seen_since as since, seen_until as until) seen
    on p.started_at >= seen.since and p.started_at <= seen.until
semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key and f.flow_id = p.flow_id
where not every and not p.shared and p.replay is null
union all
select p.*
from flow_parts p
semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key and f.flow_id = p.flow_id
where not every and p.started_at is null and not p.shared and p.replay is null;
