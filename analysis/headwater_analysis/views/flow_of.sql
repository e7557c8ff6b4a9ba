-- Which flow holds what somebody names. One answer: a flow id, else a trace, a message, a span, an event.
create macro flow_of(id) as table
with wanted as (
    select parsed_coordinates(id) as place
), candidates as (
    select 1 as rank, 'flow' as matched, flow_id as trace_id, null as span_id, started_at
    from flow_parts where flow_id = id and not shared
    union all
    select 2, 'trace', trace_id, span_id, null
    from (
        select trace_id, span_id from span_rows where trace_id = id
        order by parent_span_id is not null, started_at, span_id limit 1
    )
    union all
    select 3, 'message', m.trace_id, m.span_id, m.sent_at
    from message_rows m, wanted
    where m.topic = place.topic and m.partition = place.partition::integer
        and m.message_offset = place.message_offset::bigint and (place.cluster = '' or place.cluster = m.cluster)
    union all
    select 4, 'message', h.trace_id, h.span_id, h.started_at
    from hop_rows h, wanted
    where h.topic = place.topic and h.partition = place.partition::integer
        and h.message_offset = place.message_offset::bigint and (place.cluster = '' or place.cluster = coalesce(h.cluster, h.send_cluster))
    union all
    select 5, 'span', trace_id, span_id, started_at from span_rows where span_id = id
    union all
    select 6, 'event', trace_id, span_id, started_at from span_rows where event_id = id
), best as (
    from candidates
    order by rank, started_at desc, trace_id, span_id
    limit 1
)
select
    case when b.matched = 'flow' then b.trace_id else coalesce(f.flow_id, b.trace_id) end as flow_id,
    b.matched
from best b
left join split_flows f on f.trace_id = b.trace_id and f.span_id = b.span_id;

comment on macro table flow_of is
    'flow_of(id): the flow that holds a flow id, trace id, span id, event id or message ([cluster/]topic@partition:offset, topic/partition/offset): flow_id, matched (flow, trace, message, span, event)';
