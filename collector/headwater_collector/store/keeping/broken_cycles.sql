-- What still leaps goes round in circles: of each cycle the weakest edge (event, link, then by ids) is dropped.
create or replace temp table cycle_roots as
select distinct b.weakest.trace_id as trace_id, b.weakest.boundary as boundary
from flow_leaps a
join flow_leaps b on b.trace_id = a.up_trace_id and b.boundary = a.up_boundary;
create or replace temp table flow_leaps as
select
    s.* replace (
        case when r.trace_id is null then s.up_trace_id end as up_trace_id,
        case when r.trace_id is null then s.up_boundary end as up_boundary,
        case when r.trace_id is null then s.flow_id else s.trace_id end as flow_id,
        case when r.trace_id is null then s.replay end as replay
    )
from flow_steps s
left join cycle_roots r on r.trace_id = s.trace_id and r.boundary = s.boundary;
