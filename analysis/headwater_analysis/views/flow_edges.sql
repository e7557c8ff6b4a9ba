-- Every known cause between two spans of one flow, the primary ones marked.
create macro flow_edges(of_flow) as table
with members as materialized (
    from flow_spans(of_flow)
), here as (
    from flow_hops(of_flow)
), delivered as (
    select * from here where send_span_id is not null
), attempts as (
    select b.*, a.trace_id as before_trace_id, a.span_id as before_span_id
    from here a
    join here b on b.topic = a.topic and b.partition = a.partition and b.message_offset = a.message_offset
        and b.consumer_group is not distinct from a.consumer_group and b.attempt = a.attempt + 1
), edges as (
    select 'parent' as kind, trace_id as from_trace_id, parent_span_id as from_span_id,
        trace_id as to_trace_id, span_id as to_span_id, null as cluster, null as topic, null as partition,
        null as message_offset, null as consumer_group, null as wait_ms
    from members m
    where parent_span_id is not null
    union all
    select 'message', send_trace_id, send_span_id, trace_id, span_id, cluster, topic, partition,
        message_offset, consumer_group, wait_ms
    from delivered
    union all
    select 'attempt', before_trace_id, before_span_id, trace_id, span_id, cluster, topic, partition,
        message_offset, consumer_group, wait_ms
    from attempts
    union all
    select cause_kind, cause_trace_id, cause_span_id, trace_id, span_id, cluster, topic, partition,
        message_offset, consumer_group, null
    from members
    where cause_kind not in ('parent', 'message', 'link')
    union all
    select 'link', l.linked_trace_id, l.linked_span_id, l.trace_id, l.span_id, l.cluster, l.topic, l.partition,
        l.message_offset, m.consumer_group, null
    from link_rows l
    join members m on m.trace_id = l.trace_id and m.span_id = l.span_id
)
select
    e.kind, e.from_trace_id, e.from_span_id, e.to_trace_id, e.to_span_id,
    any_value(e.cluster) as cluster, any_value(e.topic) as topic, any_value(e.partition) as partition,
    any_value(e.message_offset) as message_offset, any_value(e.consumer_group) as consumer_group,
    bool_or(coalesce(
        m.cause_kind = e.kind and m.cause_trace_id = e.from_trace_id and m.cause_span_id = e.from_span_id, false
    )) as primary_cause,
    any_value(e.wait_ms) as wait_ms
from edges e
join members m on m.trace_id = e.to_trace_id and m.span_id = e.to_span_id
join members o on o.trace_id = e.from_trace_id and o.span_id = e.from_span_id
group by e.kind, e.from_trace_id, e.from_span_id, e.to_trace_id, e.to_span_id;

comment on macro table flow_edges is
    'flow_edges(flow_id): causes between spans of one flow: kind (parent, message, attempt, origin, cause, event, link), from_trace_id, from_span_id, to_trace_id, to_span_id, cluster, topic, partition, message_offset, consumer_group, primary_cause, wait_ms';
