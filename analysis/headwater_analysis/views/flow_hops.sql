-- The hops of one flow: of its own handlings, and of its messages in batches over several flows. Looked for between
-- the flow's times: those of a batch by when their message was sent. That this is not NULL is said so that the two
-- halves differ: DuckDB reads what two halves have in common once, and that would be all hops.
create macro flow_hops(of_flow) as table
with seen as materialized (
    select min(started_at) as since, max(ended_at) as until
    from flow_parts where flow_key = id_key(of_flow) and flow_id = of_flow and not shared
)
select h.*
from hops h
join seen on h.started_at >= seen.since and h.ended_at <= seen.until
where h.flow_id = of_flow
union all
select h.*
from hops h
join seen on h.sent_at >= seen.since and h.sent_at <= seen.until
where h.flow_id = of_flow and h.sent_at is not null
    and coalesce(h.started_at < seen.since or h.ended_at > seen.until, true);

comment on macro table flow_hops is
    'flow_hops(flow_id): the hops of one flow; columns as in hops';
