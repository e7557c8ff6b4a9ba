-- Hops heard of since a time, each with the pathway of its flow: what limits are learned from.
-- pathway: entry service, unit separator, entry name; as one text, which is grouped at a third of a structure's cost.
create macro learned_hops(of_topic, of_group, heard_since) as table
with heard as (
    -- Once: the argument may be a question of its own.
    select heard_since::timestamp_ns as since
), entries as (
    select flow_id, arg_min(concat(entry.service, chr(31), entry.name),
        epoch_ns(entry.seen) + case when entry.has_parent then 4611686018427387904 else 0 end) as pathway
    from flow_parts
    where not shared and entry is not null and received_at >= (select since from heard) - interval 1 hour
    group by flow_id
)
select
    h.topic, h.consumer_group, h.started_at, e.pathway,
    -- Of the first delivery only, with the back-off before it: as long as a message lies in its topic.
    case when h.attempt = coalesce(h.said_attempt, 1) then (h.wait_ns + coalesce(h.backoff_ns, 0)) / 1e6 end as wait_ms,
    case when h.status != 'error' then elapsed_ns(h.started_at, h.ended_at) / 1e6 end as work_ms
from hop_rows h
left join split_flows f on f.trace_id = coalesce(h.owner_trace_id, h.trace_id)
    and f.span_id = coalesce(h.owner_span_id, h.span_id)
join entries e on e.flow_id = coalesce(f.flow_id, h.owner_trace_id, h.trace_id)
where h.received_at >= (select since from heard) and h.consumer_group is not null
    and (of_topic is null or h.topic = of_topic) and (of_group is null or h.consumer_group = of_group);
