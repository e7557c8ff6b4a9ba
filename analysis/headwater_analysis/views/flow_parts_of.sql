-- The parts of every flow, of those that may begin between two times (begun), or of some whose parts all lie between
-- two times (named), without replays, which are runs of their own. A part is shared where a batch joins several flows;
-- it counts in none. Parts without a time hold what was found out about spans of other parts, or spans that lack it.
create macro flow_parts_of(which, of_flows, seen_since, seen_until) as table
from flow_parts
where which = 'every' and not shared and replay is null
union all
from parts_begun(seen_since, seen_until)
where which = 'begun'
union all
select p.*
from flow_parts p
join (select seen_since as since, seen_until as until) seen
    on p.started_at >= seen.since and p.ended_at <= seen.until
semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key and f.flow_id = p.flow_id
where which = 'named' and not p.shared and p.replay is null
union all
select p.*
from flow_parts p
semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key and f.flow_id = p.flow_id
where which = 'named' and (p.started_at is null or p.ended_at is null) and not p.shared and p.replay is null;
