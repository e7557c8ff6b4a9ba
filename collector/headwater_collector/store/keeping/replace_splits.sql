-- Fragments of the touched splits as they are now; those elsewhere that continue them point to the new ones.
delete from split_spans where trace_id in (from touched_splits);
insert into split_spans by name
select min(received_at) as received_at, trace_id, span_id, any_value(boundary) as boundary
from split_members group by trace_id, span_id;
delete from fragments where trace_id in (from touched_splits);
insert into fragments by name
with found as (
    select trace_id, boundary, min(received_at) as received_at from split_members group by trace_id, boundary
)
select f.received_at, f.trace_id, f.boundary, c.kind, c.cause_trace_id, c.cause_span_id,
    coalesce(c.shared, false) as shared
from found f
left join cause_rows c on c.trace_id = f.trace_id and c.span_id = f.boundary;
update fragments f
set up_boundary = coalesce((
    select s.boundary from split_spans s where s.trace_id = f.cause_trace_id and s.span_id = f.cause_span_id
), '')
where f.cause_trace_id is not null
    and (f.trace_id in (from touched_splits) or f.cause_trace_id in (from touched_splits));
