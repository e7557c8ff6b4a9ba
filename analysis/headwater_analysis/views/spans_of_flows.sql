-- The spans of several flows at once, as flow_spans gives those of one, with what a critical path needs of them.
create macro spans_of_flows(of_flows) as table
with places as materialized (
    from fragments_of_flows(of_flows)
), seen as materialized (
    select min(since) as since, max(until) as until from places
), everything as materialized (
    select p.flow_id, s.trace_id, s.span_id, false as shared
    from span_rows s
    join seen on s.started_at >= seen.since and s.ended_at <= seen.until
    join places p on p.trace_id = s.trace_id
    where not p.split
    union
    select p.flow_id, s.trace_id, s.span_id, p.shared
    from places p
    join split_spans s on s.trace_id = p.trace_id and s.boundary = p.boundary
    where p.split
), sends as (
    select distinct h.trace_id, h.span_id, h.send_span_id
    from hop_rows h
    join seen on h.started_at >= seen.since and h.ended_at <= seen.until
    semi join everything e on e.trace_id = h.trace_id
    where h.role = 'process'
), found as materialized (
    select s.* exclude (attributes, marks, trace_state), e.flow_id, e.shared
    from everything e
    join (select span_rows.* from span_rows join seen on started_at >= seen.since and ended_at <= seen.until) s
        on s.trace_id = e.trace_id and s.span_id = e.span_id
), heard as materialized (
    select min(received_at) as since, max(received_at) as until from found
), causes as (
    select c.*
    from cause_rows c
    join heard on c.received_at >= heard.since and c.received_at <= heard.until
    semi join everything e on e.trace_id = c.trace_id
)
select
    s.trace_id, s.span_id, s.parent_span_id, s.service, s.name, s.kind, s.started_at, s.ended_at,
    (epoch_ns(s.ended_at) - epoch_ns(s.started_at)) / 1e6 as duration_ms, s.status, s.status_message,
    s.error_type, s.cluster, s.topic, s.partition, s.message_offset, s.consumer_group, s.operation, s.event_id,
    cause_kind_of(c.kind, h.send_span_id, s.parent_span_id) as cause_kind,
    coalesce(c.cause_trace_id, case when s.parent_span_id is not null then s.trace_id end) as cause_trace_id,
    coalesce(c.cause_span_id, s.parent_span_id) as cause_span_id,
    s.shared, s.flow_id,
    coalesce(c.kind = 'replay', false) as replays
from found s
left join causes c on c.trace_id = s.trace_id and c.span_id = s.span_id
left join sends h on h.trace_id = s.trace_id and h.span_id = s.span_id and h.send_span_id = s.parent_span_id;

comment on macro table spans_of_flows is
    'spans_of_flows([flow_id, …]): the spans of several flows: trace_id, span_id, parent_span_id, service, name, kind, started_at, ended_at, duration_ms, status, status_message, error_type, cluster, topic, partition, message_offset, consumer_group, operation, event_id, cause_kind, cause_trace_id, cause_span_id, shared as in flow_spans, flow_id, replays (sends an earlier message again, which is neither retry nor dead letter)';
