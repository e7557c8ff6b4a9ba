-- The spans of several flows at once, as flow_spans gives those of one, with what a critical path needs of them.
create macro spans_of_flows(of_flows) as table
with wanted as (
    select distinct unnest(of_flows::varchar[]) as flow_id
), own as (
    select distinct p.flow_id, p.trace_id, p.boundary,
        exists (from split_spans x where x.trace_id = p.trace_id) as split
    from flow_parts p
    semi join wanted w on w.flow_id = p.flow_id
    where not p.shared
), members as materialized (
    select o.flow_id, s.trace_id, s.span_id, false as shared
    from own o
    join span_rows s on s.trace_id = o.trace_id
    where not o.split
    union
    select o.flow_id, s.trace_id, s.span_id, false
    from own o
    join split_spans s on s.trace_id = o.trace_id and s.boundary = o.boundary
), batches as (
    select distinct m.flow_id, f.trace_id, f.boundary
    from fragments f
    join link_rows l on l.trace_id = f.trace_id and l.span_id = f.boundary
    join members m on m.trace_id = l.linked_trace_id and m.span_id = l.linked_span_id
    where f.shared
), everything as materialized (
    from members
    union
    select b.flow_id, s.trace_id, s.span_id, true
    from batches b
    join split_spans s on s.trace_id = b.trace_id and s.boundary = b.boundary
), sends as (
    select distinct h.trace_id, h.span_id, h.send_span_id
    from hop_rows h
    semi join everything e on e.trace_id = h.trace_id
    where h.role = 'process'
), causes as (
    select c.* from cause_rows c semi join everything e on e.trace_id = c.trace_id
)
select
    s.trace_id, s.span_id, s.parent_span_id, s.service, s.name, s.kind, s.started_at, s.ended_at,
    (epoch_ns(s.ended_at) - epoch_ns(s.started_at)) / 1e6 as duration_ms, s.status, s.status_message,
    s.error_type, s.cluster, s.topic, s.partition, s.message_offset, s.consumer_group, s.operation, s.event_id,
    case
        when c.kind is not null then c.kind
        when h.send_span_id = s.parent_span_id then 'message'
        when s.parent_span_id is not null then 'parent'
    end as cause_kind,
    coalesce(c.cause_trace_id, case when s.parent_span_id is not null then s.trace_id end) as cause_trace_id,
    coalesce(c.cause_span_id, s.parent_span_id) as cause_span_id,
    e.shared, e.flow_id,
    -- A retry or a dead letter says that it is one, or which delivery it follows from.
    c.kind = 'origin' and (s.attributes->>'$."headwater.retry.origin"') is null
        and (s.attributes->>'$."headwater.cause"') is null
        and coalesce(s.attributes->>'$."headwater.dead_letter"' != 'true', true) as replays
from everything e
join span_rows s on s.trace_id = e.trace_id and s.span_id = e.span_id
left join causes c on c.trace_id = s.trace_id and c.span_id = s.span_id
left join sends h on h.trace_id = s.trace_id and h.span_id = s.span_id and h.send_span_id = s.parent_span_id;

comment on macro table spans_of_flows is
    'spans_of_flows([flow_id, …]): the spans of several flows: trace_id, span_id, parent_span_id, service, name, kind, started_at, ended_at, duration_ms, status, status_message, error_type, cluster, topic, partition, message_offset, consumer_group, operation, event_id, cause_kind, cause_trace_id, cause_span_id, shared as in flow_spans, flow_id, replays (sends an earlier message again, which is neither retry nor dead letter)';
