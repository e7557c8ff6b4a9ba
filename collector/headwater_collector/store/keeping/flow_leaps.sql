-- The fragments that the touched splits lead to, each with what it continues. Where that is known already, or is no
-- fragment, the flow is known; a replay is a run of its own from its own fragment on.
create or replace temp table flow_steps as
with recursive affected as (
    select trace_id, boundary from fragments where trace_id in (from touched_splits)
    union
    select f.trace_id, f.boundary from fragments f where f.cause_trace_id in (from touched_splits)
    union
    select f.trace_id, f.boundary
    from affected a
    join fragments f on f.cause_trace_id = a.trace_id and f.up_boundary = a.boundary
)
select
    {'weakness': case f.kind when 'event' then 0 when 'link' then 1 else 2 end,
        'trace_id': f.trace_id, 'boundary': f.boundary} as weakest,
    f.trace_id, f.boundary,
    case when u.trace_id is not null then f.cause_trace_id end as up_trace_id,
    case when u.trace_id is not null then f.up_boundary end as up_boundary,
    case when u.trace_id is null then coalesce(k.flow_id, f.cause_trace_id, f.trace_id) end as flow_id,
    coalesce(case when f.kind = 'replay' then f.boundary end, case when u.trace_id is null then k.replay end) as replay
from fragments f
join affected a on a.trace_id = f.trace_id and a.boundary = f.boundary
left join affected u on u.trace_id = f.cause_trace_id and u.boundary = f.up_boundary
left join fragments k on k.trace_id = f.cause_trace_id and k.boundary = f.up_boundary;
create or replace temp table flow_leaps as from flow_steps;
