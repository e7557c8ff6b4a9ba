-- Where the spans of flows are: whole traces, and the fragments of traces that hold a crossing (split). A batch over
-- several flows is shared by those whose messages it names by its links or, beyond the links that a span can hold,
-- by its offsets. since and until are the times between which their spans lie, so that these are not looked for
-- everywhere.
create macro fragments_of_flows(of_flows) as table
with own as materialized (
    select p.flow_id, p.trace_id, p.boundary, min(p.started_at) as since, max(p.ended_at) as until,
        p.trace_id in (select trace_id from fragments) as split, max(p.started_at) as last_at
    from flow_parts p
    semi join flows_by_key(of_flows) w on w.flow_key = p.flow_key and w.flow_id = p.flow_id
    where not p.shared
    group by p.flow_id, p.trace_id, p.boundary
), sent as materialized (
    select min(since) as since, greatest(max(until), max(last_at)) as until from own
), sharing as materialized (
    select trace_id, boundary from fragments where shared
), named as (
    select linked_trace_id as of_trace_id, linked_span_id as of_span_id, trace_id, span_id
    from link_rows semi join sharing s on s.trace_id = link_rows.trace_id and s.boundary = link_rows.span_id
    union all
    select owner_trace_id, owner_span_id, trace_id, span_id
    from hop_rows
    join sent on sent_at >= sent.since and sent_at <= sent.until
    semi join sharing s on s.trace_id = hop_rows.trace_id and s.boundary = hop_rows.span_id
    where owner_trace_id is not null
    union all
    select owner_trace_id, owner_span_id, trace_id, span_id
    from hop_rows
    semi join sharing s on s.trace_id = hop_rows.trace_id and s.boundary = hop_rows.span_id
    where owner_trace_id is not null and sent_at is null
), reached as (
    select distinct o.flow_id, n.trace_id, n.span_id as boundary
    from own o
    join named n on n.of_trace_id = o.trace_id
    left join split_spans s on s.trace_id = n.of_trace_id and s.span_id = n.of_span_id
    where not o.split or s.boundary = o.boundary
)
select flow_id, trace_id, boundary, since, until, split, false as shared from own
union all
select r.flow_id, r.trace_id, r.boundary, min(p.started_at), max(p.ended_at), true, true
from reached r
join (from flow_parts where shared) p on p.trace_id = r.trace_id and p.boundary = r.boundary
group by r.flow_id, r.trace_id, r.boundary;
