-- Deliveries that ended without error, heard of since a time, of messages sent in a stretch of time, each with the topics that its handling sent messages to and when
-- first. A send belongs to the handling in its trace and service that began last before it. Batches are left out:
-- of the messages of a batch none can be told to have caused a send. Retries, dead letters and replays carry a
-- message on and are no successors.
create macro led_on(of_topic, of_group, heard_since, seen_since, seen_until) as table
with handled as (
    select
        topic, coalesce(incarnation, 1) as incarnation, partition, message_offset, consumer_group, trace_id,
        consumer_service as service, started_at, row_number() over () as number, hash(trace_id, service) as place
    from hops_of_messages(seen_since, seen_until)
    where received_at >= heard_since::timestamp_ns and status != 'error' and role = 'process'
        and consumer_group is not null
        and (of_topic is null or topic = of_topic) and (of_group is null or consumer_group = of_group)
), places as (
    -- Grouped, so that it is known to be the smaller side of the join: else all messages since would be hashed.
    select place from handled group by place
), sends as (
    select hash(m.trace_id, m.service) as place, m.sent_at as moment, m.topic as successor_topic
    from message_rows m
    semi join places p on p.place = hash(m.trace_id, m.service)
    where m.received_at >= heard_since::timestamp_ns and m.service is not null
        and m.sent_at >= seen_since::timestamp_ns - interval 1 minute and m.origin is null and not coalesce(m.dead_letter, false)
), steps as (
    select place, moment, successor_topic, null as number from sends
    union all
    select h.place, h.started_at, null, h.number
    from handled h
    where h.place in (select place from sends)
), pairs as (
    -- Sorted once: in a trace of many messages, pairing each send with each handling would not end.
    select successor_topic, moment, last_value(number ignore nulls) over (
        partition by place order by moment, successor_topic nulls first) as number
    from steps
), led as (
    select number, successor_topic, min(moment) as led_at
    from pairs
    where successor_topic is not null and number is not null
    group by all
), listed as (
    select number, map_from_entries(list({'k': successor_topic, 'v': led_at})) as successors from led group by number
)
select
    h.topic, h.incarnation, h.partition, h.message_offset, h.consumer_group, h.service, h.started_at, l.successors
from handled h
left join listed l on l.number = h.number;
