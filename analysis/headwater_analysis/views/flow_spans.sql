-- The spans of one flow, each with the cause that makes it part of the flow. A cause was received with its span.
create macro flow_spans(of_flow) as table
with members as materialized (
    from flow_members(of_flow)
), seen as materialized (
    select min(since) as since, max(until) as until from members
), found as materialized (
    select s.*, m.shared
    from spans s
    join seen on s.started_at >= seen.since and s.ended_at <= seen.until
    join members m on m.trace_id = s.trace_id and m.span_id = s.span_id
    union all
    select s.*, m.shared
    from spans s
    join members m on m.trace_id = s.trace_id and m.span_id = s.span_id
    where s.started_at is null or s.ended_at is null
), sends as (
    select distinct h.trace_id, h.span_id, h.send_span_id
    from hop_rows h
    join seen on h.started_at >= seen.since and h.ended_at <= seen.until
    semi join members m on m.trace_id = h.trace_id and m.span_id = h.span_id
    where h.role = 'process'
), heard as materialized (
    select min(received_at) as since, max(received_at) as until from found
), causes as (
    select c.*
    from cause_rows c
    join heard on c.received_at >= heard.since and c.received_at <= heard.until
    semi join members m on m.trace_id = c.trace_id and m.span_id = c.span_id
)
select
    f.* exclude (shared),
    of_flow as flow_id,
    cause_kind_of(c.kind, h.send_span_id, f.parent_span_id) as cause_kind,
    coalesce(c.cause_trace_id, case when f.parent_span_id is not null then f.trace_id end) as cause_trace_id,
    coalesce(c.cause_span_id, f.parent_span_id) as cause_span_id,
    f.shared
from found f
left join causes c on c.trace_id = f.trace_id and c.span_id = f.span_id
left join sends h on h.trace_id = f.trace_id and h.span_id = f.span_id and h.send_span_id = f.parent_span_id;

comment on macro table flow_spans is
    'flow_spans(flow_id): the spans of one flow; columns as in spans, then flow_id, cause_kind (message, parent, origin, attempt, cause, event, link; NULL for the root), cause_trace_id, cause_span_id, shared (belongs to other flows too and counts in none)';
