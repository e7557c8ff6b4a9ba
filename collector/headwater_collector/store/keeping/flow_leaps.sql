-- The fragments that the touched splits lead to, each with what it continues. Whatever lies further down is in the flow
-- of those that continue them, as it was known; so all of that is taken, instead of a step for each cause on the way.
-- Where what one continues is known already, or is no fragment, the flow is known; a replay is a run of its own from its
-- own fragment on.
create or replace temp table flow_steps as
with continuing as (
    select trace_id, boundary, flow_id from fragments where cause_trace_id in (from touched_splits)
), affected as (
    select trace_id, boundary from fragments where trace_id in (from touched_splits)
    union
    select trace_id, boundary from continuing
    union
    select trace_id, boundary from fragments where flow_id in (select flow_id from continuing)
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
