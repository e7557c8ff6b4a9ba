-- The spans of one flow, each with the cause that makes it part of the flow.
create macro flow_spans(of_flow) as table
with members as materialized (
    from flow_members(of_flow)
), found as (
    select s.*, m.shared
    from members m
    join spans s on s.trace_id = m.trace_id and s.span_id = m.span_id
), sends as (
    select distinct trace_id, span_id, send_span_id
    from hop_rows
    where role = 'process' and trace_id in (select trace_id from members)
), causes as (
    from cause_rows where trace_id in (select trace_id from members)
)
select
    f.* exclude (shared),
    of_flow as flow_id,
    case
        when c.kind is not null then c.kind
        when h.send_span_id = f.parent_span_id then 'message'
        when f.parent_span_id is not null then 'parent'
    end as cause_kind,
    coalesce(c.cause_trace_id, case when f.parent_span_id is not null then f.trace_id end) as cause_trace_id,
    coalesce(c.cause_span_id, f.parent_span_id) as cause_span_id,
    f.shared
from found f
left join causes c on c.trace_id = f.trace_id and c.span_id = f.span_id
left join sends h on h.trace_id = f.trace_id and h.span_id = f.span_id and h.send_span_id = f.parent_span_id;

comment on macro table flow_spans is
    'flow_spans(flow_id): the spans of one flow; columns as in spans, then flow_id, cause_kind (message, parent, origin, attempt, cause, event, link; NULL for the root), cause_trace_id, cause_span_id, shared (belongs to other flows too and counts in none)';
