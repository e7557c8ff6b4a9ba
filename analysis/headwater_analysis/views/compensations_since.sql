-- Messages declared to take back another, with the pathway that they were sent in and the message that they take back.
create macro compensations_since(seen_since) as table
with declared as (
    select s.trace_id, s.span_id, s.service, s.topic, s.partition, s.message_offset, s.started_at as sent_at,
        s.attributes ->> '$."headwater.compensates"' as compensates
    from span_rows s
    where s.started_at >= seen_since::timestamp_ns and s.topic is not null and s.consumer_group is null
        and contains(s.attributes, '"headwater.compensates"')
), owned as (
    select d.*, coalesce(f.flow_id, d.trace_id) as flow_id
    from declared d
    left join split_flows f on f.trace_id = d.trace_id and f.span_id = d.span_id
), entries as (
    select p.flow_id, min(p.entry) as entry
    from flow_parts p
    semi join owned o on o.flow_id = p.flow_id
    where not p.shared and p.entry is not null and p.received_at >= seen_since::timestamp_ns - interval 1 day
    group by p.flow_id
), events as (
    -- The event's own message; its retries and dead letters have the same id and came later.
    select m.event_id, arg_min({'topic': m.topic, 'partition': m.partition, 'message_offset': m.message_offset}, m.sent_at) as of
    from message_rows m
    semi join declared d on d.compensates = m.event_id
    group by m.event_id
)
select
    o.topic, o.partition, o.message_offset, o.service, o.sent_at, o.trace_id, o.span_id, o.flow_id,
    left(md5(concat(e.entry.service, chr(31), e.entry.name)), 16) as pathway_id,
    e.entry.service as entry_service, e.entry.name as entry_name, o.compensates as event_id, v.of.topic as of_topic,
    v.of.partition as of_partition, v.of.message_offset as of_offset
from owned o
left join entries e on e.flow_id = o.flow_id
left join events v on v.event_id = o.compensates;

comment on macro table compensations_since is
    'compensations_since(since): one row a message sent since then that takes back another (headwater.compensates): where it is, its flow and pathway, and the event and first message that it takes back, NULL where that is not stored. Grouped by pathway_id it is how often a pathway had to take something back';
