-- What services counted of all their messages, by stretches of time. Exports are running totals, so that a stretch has
-- the difference to the export before it; of the first export of an older process nothing can be said.
create macro message_counts(step, seen_since) as table
with exports as (
    select
        *, time_bucket(step::interval, sampled_at) as counted_at,
        lag(sampled_at) over of_one as before_at, lag(messages) over of_one as before_messages,
        lag(errors) over of_one as before_errors, lag(latencies) over of_one as before_latencies
    from flow_counts
    where sampled_at >= seen_since::timestamp - greatest(step::interval, interval 5 minutes)
    window of_one as (
        partition by service, instance, server, direction, topic, partition, consumer_group, prefix_id, counted_since
        order by sampled_at
    )
), added as (
    select
        counted_at, service, direction, cluster, topic, consumer_group, prefix_id,
        messages - coalesce(before_messages, 0) as messages,
        coalesce(errors, 0) - coalesce(before_errors, 0) as errors,
        list_concat(latencies, [
            {'measured': l.measured, 'bucket': l.bucket, 'messages': -l.messages} for l in before_latencies
        ]) as latencies
    from exports
    where sampled_at >= seen_since::timestamp
        and (before_at is not null or counted_since >= seen_since::timestamp - step::interval)
), counted as (
    select counted_at, service, direction, cluster, topic, consumer_group, prefix_id,
        sum(messages)::bigint as messages, sum(errors)::bigint as errors
    from added
    group by all
    having sum(messages) > 0
), buckets as (
    select counted_at, service, direction, cluster, topic, consumer_group, prefix_id,
        l.measured, l.bucket, sum(l.messages)::bigint as messages
    from (select * exclude (messages, errors, latencies), unnest(latencies) as l from added)
    group by all
    having sum(l.messages) > 0
), sketches as (
    select counted_at, service, direction, cluster, topic, consumer_group, prefix_id,
        list({'measured': measured, 'bucket': bucket, 'messages': messages} order by measured, bucket) as latencies
    from buckets
    group by all
)
select
    c.counted_at, c.service, c.direction, c.cluster, c.topic, c.consumer_group, c.prefix_id, c.messages, c.errors,
    sketch_quantile_ms(s.latencies, 'send', 0.95) as send_p95_ms,
    sketch_quantile_ms(s.latencies, 'wait', 0.95) as wait_p95_ms,
    sketch_quantile_ms(s.latencies, 'work', 0.95) as work_p95_ms,
    s.latencies
from counted c
left join sketches s on s.counted_at = c.counted_at and s.service is not distinct from c.service
    and s.direction = c.direction and s.cluster is not distinct from c.cluster
    and s.topic is not distinct from c.topic and s.consumer_group is not distinct from c.consumer_group
    and s.prefix_id is not distinct from c.prefix_id;

comment on macro table message_counts is
    'message_counts(step, since): counted_at (start of the step), service, direction, cluster, topic, consumer_group, prefix_id, messages, errors, send_p95_ms, wait_p95_ms, work_p95_ms and the sketch they are from; of all messages, sampled or not, as instrumented services count them; step is an interval from 10 seconds on';
