-- Which flow holds what somebody names. One answer: a flow id, else a trace, a message, a span, an event. What has
-- not the form of an id is not looked for among them; a trace is found by what is kept of flows, and only a span or an
-- event has to be looked for among all spans, between two times where they are given.
create macro flow_of(id, seen_since := null, seen_until := null) as table
with wanted as (
    select parsed_coordinates(id) as place
), candidates as (
    select 1 as rank, 'flow' as matched, flow_id as trace_id, null as span_id, started_at
    from flow_parts where flow_key = id_key(id) and flow_id = id and not shared
    union all
    select 2, 'trace', trace_id, first.span_id, null
    from (
        select trace_id, min({'has_parent': parent_span_id is not null, 'seen': started_at, 'span_id': span_id}) as first
        from trace(id) group by trace_id
    )
    where length(id) = 32
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
    select case when span_id = id then 5 else 6 end, case when span_id = id then 'span' else 'event' end,
        trace_id, span_id, started_at
    from span_rows
    where (span_id = id or event_id = id) and length(id) != 32 and parsed_coordinates(id) is null
        and started_at >= coalesce(seen_since::timestamp_ns, timestamp_ns '1970-01-01')
        and started_at <= coalesce(seen_until::timestamp_ns, timestamp_ns '2262-04-11')
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
    'flow_of(id): the flow that holds a flow id, trace id, span id, event id or message ([cluster/]topic@partition:offset, topic/partition/offset): flow_id, matched (flow, trace, message, span, event). A span or event is found sooner where seen_since := and seen_until := say between which times it began';
