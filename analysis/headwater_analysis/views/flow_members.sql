-- Every span that belongs to a flow: of its own traces, of its fragments of other traces, and, marked as
-- shared, of batches over several flows that hold one of its messages. since and until are the times between which all
-- of them lie.
create macro flow_members(of_flow) as table
with places as materialized (
    from fragments_of_flows([of_flow])
), seen as materialized (
    select min(since) as since, max(until) as until from places
), whole as (
    select trace_id from places where not split
)
select m.*, seen.since, seen.until
from (
    select s.trace_id, s.span_id, false as shared
    from span_rows s
    join seen on s.started_at >= seen.since and s.ended_at <= seen.until
    semi join whole w on w.trace_id = s.trace_id
    union
    select s.trace_id, s.span_id, false
    from span_rows s
    semi join whole w on w.trace_id = s.trace_id
    where s.started_at is null or s.ended_at is null
    union
    select s.trace_id, s.span_id, p.shared
    from places p
    join split_spans s on s.trace_id = p.trace_id and s.boundary = p.boundary
    where p.split
) m
cross join seen;
