-- Every span that belongs to a flow: of its own traces, of its fragments of other traces, and, marked as
-- shared, of batches over several flows that hold one of its messages.
create macro flow_members(of_flow) as table
with own as (
    select distinct p.trace_id, p.boundary,
        exists (from split_spans x where x.trace_id = p.trace_id) as split
    from flow_parts p
    where p.flow_id = of_flow and not p.shared
), members as (
    select s.trace_id, s.span_id, false as shared
    from own p
    join span_rows s on s.trace_id = p.trace_id
    where not p.split
    union
    select s.trace_id, s.span_id, false
    from own p
    join split_spans s on s.trace_id = p.trace_id and s.boundary = p.boundary
), batches as (
    select distinct f.trace_id, f.boundary
    from fragments f
    join link_rows l on l.trace_id = f.trace_id and l.span_id = f.boundary
    join members m on m.trace_id = l.linked_trace_id and m.span_id = l.linked_span_id
    where f.shared
)
from members
union
select s.trace_id, s.span_id, true
from batches b
join split_spans s on s.trace_id = b.trace_id and s.boundary = b.boundary;
