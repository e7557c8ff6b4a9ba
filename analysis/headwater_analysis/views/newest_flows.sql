-- The newest flows of those that begin between two times, NULL for either being open: so many. Which they are is looked
-- for first, and all else asked of them alone: of twice as many as wanted and some more, by when their parts in that
-- stretch begin; and should too few of these turn out to begin there, of all.
create macro newest_flows(since, until, number) as table
with begun as materialized (
    from flow_ids_begun(since, until)
), likely as materialized (
    from begun
    where first_at >= (
        select min(first_at) from (select first_at from begun order by first_at desc limit 2 * number + 100)
    )
), found as materialized (
    from flow_extents(since, (select list(flow_id) from likely))
), others as materialized (
    from flow_extents(since, (
        select list(flow_id) from begun
        where (select count(*) from found) < number and flow_id not in (select flow_id from likely)
    ))
), newest as materialized (
    from (from found union all from others) order by first_at desc, flow_id limit number
), chosen as materialized (
    select list(flow_id) as flows, min(first_at) as first_at, max(last_at) as last_at from newest
)
from flows_of(
    'named', (select flows from chosen), (select first_at from chosen), (select last_at from chosen),
    (select first_at from chosen)
);

comment on macro table newest_flows is
    'newest_flows(since, until, number): the newest flows of those that begin between two times, the first included; NULL means open. Columns as in flows';
