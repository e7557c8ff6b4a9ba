-- What the handling of a message leads to: the share of messages after which their handler sent one to another topic.
-- A verdict needs 200 messages of which 99 in 100 did; its limit is three times the 99.9th percentile.
create macro learned_successors_since(of_topic, of_group, heard_since) as table
with led as (
    from led_on(of_topic, of_group, heard_since, '1970-01-02'::timestamp_ns, '2262-01-01'::timestamp_ns)
), handled as (
    select topic, consumer_group, service, count(*) as messages from led group by all
), steps as (
    select topic, consumer_group, service, started_at, unnest(map_entries(successors)) as step from led
), successors as (
    select topic, consumer_group, service, step.key as successor_topic, count(*) as led_on,
        quantile_cont((epoch_ns(step.value) - epoch_ns(started_at)) / 1e6, 0.999) as p999_ms
    from steps
    group by all
)
select
    s.topic, s.consumer_group, s.service, s.successor_topic, h.messages, s.led_on, s.led_on / h.messages as share,
    s.p999_ms, case when h.messages >= 200 and s.led_on >= 0.99 * h.messages then 3 * s.p999_ms end as limit_ms
from successors s
join handled h on h.topic = s.topic and h.consumer_group = s.consumer_group and h.service = s.service;

comment on macro table learned_successors_since is
    'learned_successors_since(topic, group, since): what learned_successors says, of the deliveries received since then; topic and group may be NULL, which means all';
