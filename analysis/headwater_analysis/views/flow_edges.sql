-- Every known cause between two spans of one flow, the primary ones marked.
create macro flow_edges(of_flow) as table
with members as materialized (
    from flow_spans(of_flow)
), seen as materialized (
    select min(started_at) as since, max(ended_at) as until, min(received_at) as heard_since,
        max(received_at) as heard_until
    from members
), here as materialized (
    from flow_hops(of_flow)
), sent as materialized (
    select m.*, s.parent_span_id, concat_ws(':', m.topic, m.partition, m.message_offset) as place
    from message_rows m
    join seen on m.sent_at >= seen.since and m.available_at <= seen.until
    join members s on s.trace_id = m.trace_id and s.span_id = m.span_id
), carried as (
    select c.*, o.trace_id as origin_trace_id, o.span_id as origin_span_id
    from sent c
    join sent o on o.place = c.origin and o.span_id != c.span_id
), again as materialized (
    -- Sent twice by one handler, which alone would not join them.
    select *, lag(span_id) over (
        partition by trace_id, parent_span_id, event_id, origin_topic(topic) order by sent_at, span_id) as before_span_id
    from sent where event_id is not null and origin is null and parent_span_id is not null
    qualify before_span_id is not null
), worn_out as (
    select w.event_id from message_rows w semi join again a on a.event_id = w.event_id
    group by w.event_id, w.topic having count(distinct (w.partition, w.message_offset)) > most_copies()
), delivered as (
    select * from here where send_span_id is not null
), attempts as (
    select b.*, a.trace_id as before_trace_id, a.span_id as before_span_id
    from here a
    join here b on b.topic = a.topic and b.partition = a.partition and b.message_offset = a.message_offset
        and b.consumer_group is not distinct from a.consumer_group and b.attempt = a.attempt + 1
), lineages as (
    select h.*, s.origin, coalesce(s.origin, concat_ws(':', h.topic, h.partition, h.message_offset)) as line,
        s.origin_group, coalesce(s.dead_letter, false) as dead_letter
    from here h
    left join sent s on s.trace_id = h.send_trace_id and s.span_id = h.send_span_id
), retried as (
    -- By way of a retry topic; what handled the attempt before sent it there. A replay is a first attempt again.
    select b.*, a.trace_id as before_trace_id, a.span_id as before_span_id
    from lineages b
    join lineages a on a.line = b.origin and a.attempt = b.attempt - 1 and a.consumer_service = b.producer_service
        and case when a.origin is null then coalesce(a.consumer_group = b.origin_group, true) else a.attempt > 1 end
    where not b.dead_letter
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
    select 'attempt', before_trace_id, before_span_id, trace_id, span_id, cluster, topic, partition,
        message_offset, consumer_group, wait_ms
    from retried
    union all
    select 'origin', origin_trace_id, origin_span_id, trace_id, span_id, null, topic, partition, message_offset,
        null, null
    from carried
    union all
    select 'event', trace_id, before_span_id, trace_id, span_id, null, topic, partition, message_offset, null, null
    from again anti join worn_out using (event_id)
    union all
    select cause_kind, cause_trace_id, cause_span_id, trace_id, span_id, cluster, topic, partition,
        message_offset, consumer_group, null
    from members
    where cause_kind not in ('parent', 'message', 'link')
    union all
    select 'link', l.linked_trace_id, l.linked_span_id, l.trace_id, l.span_id, l.cluster, l.topic, l.partition,
        l.message_offset, m.consumer_group, null
    from link_rows l
    join seen on l.received_at >= seen.heard_since and l.received_at <= seen.heard_until
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
