-- Each leap goes as far again: what one step reaches in a thousand, ten leaps reach. weakest is the weakest edge on the
-- way, so that a cycle knows its own.
create or replace temp table flow_leaps as
select
    case when b.weakest < a.weakest then b.weakest else a.weakest end as weakest, a.trace_id, a.boundary,
    b.up_trace_id, b.up_boundary, coalesce(a.flow_id, b.flow_id) as flow_id, coalesce(a.replay, b.replay) as replay
from flow_leaps a
left join flow_leaps b on b.trace_id = a.up_trace_id and b.boundary = a.up_boundary;
