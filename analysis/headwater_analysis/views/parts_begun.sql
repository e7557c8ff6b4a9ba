-- All parts of the flows that may begin between two times: of those with a part there. Parts outside of the stretch are
-- looked for among all by their keys, which says between which times to read them. Of two conditions on one column
-- DuckDB hands but one down to the scan, so the later one is on the end; and a
-- NULL would leave the scan without a limit.
create macro parts_begun(since, until) as table
with begun as materialized (
    select distinct flow_key
    from flow_parts
    where not shared and replay is null and begins_between(started_at, since, until)
), outside as materialized (
    select coalesce(min(p.started_at), timestamp_ns '2262-04-11') as seen_since,
        coalesce(max(p.ended_at), timestamp_ns '1677-09-22') as seen_until
    from flow_parts p
    semi join begun b on b.flow_key = p.flow_key
    where not p.shared and p.replay is null and not begins_between(p.started_at, since, until)
)
from flow_parts
where not shared and replay is null and begins_between(started_at, since, until)
union all
select p.*
from flow_parts p
join outside o on p.started_at >= o.seen_since and p.ended_at <= o.seen_until
semi join begun b on b.flow_key = p.flow_key
where not p.shared and p.replay is null and not begins_between(p.started_at, since, until)
union all
select p.*
from flow_parts p
semi join begun b on b.flow_key = p.flow_key
where not p.shared and p.replay is null and (p.started_at is null or p.ended_at is null)
    and begins_between(p.started_at, since, until) is not true;
