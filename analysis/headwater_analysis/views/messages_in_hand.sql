-- Messages that a group may not get over: held by a handler by its last report, or begun so many times at least since
-- a time, with an error each time. Few, since only errors are grouped; what led on to a retry or a dead letter is left
-- out. last_offset: of the delivery of this partition that the group began last, which shows whether it went on.
create macro messages_in_hand(begun_since, least_failures) as table
with begun as not materialized (
    select
        coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster, h.topic, h.partition, h.message_offset,
        h.consumer_group, h.consumer_service as service, h.started_at, h.status, h.error_type
    from hop_rows h
    cross join topic_knowledge k
    where h.received_at >= begun_since::timestamp_ns and h.started_at >= begun_since::timestamp_ns
        and h.consumer_group is not null
), failed as (
    select
        cluster, topic, partition, message_offset, consumer_group, count(*) as failures,
        min(started_at) as first_at, max(started_at) as last_at, arg_max(service, started_at) as service,
        arg_max(error_type, started_at) as error_type
    from begun
    where status = 'error'
    group by all
    having count(*) >= least_failures
), unfinished as (
    select f.*
    from failed f
    where not exists (
            from begun b
            where b.status != 'error' and b.topic = f.topic and b.partition = f.partition
                and b.message_offset = f.message_offset and b.consumer_group = f.consumer_group)
        and not exists (
            from message_rows m
            where m.received_at >= begun_since::timestamp_ns
                and m.origin = concat_ws(':', f.topic, f.partition, f.message_offset)
                and coalesce(m.origin_group, f.consumer_group) = f.consumer_group)
        and not exists (
            from dead_letter_rows d
            where d.origin_topic = f.topic and d.origin_partition = f.partition
                and d.origin_offset = f.message_offset
                and coalesce(d.origin_group, f.consumer_group) = f.consumer_group)
), newest as (
    select b.topic, b.partition, b.consumer_group, arg_max(b.message_offset, b.started_at) as last_offset
    from begun b
    semi join unfinished u on u.topic = b.topic and u.partition = b.partition
        and u.consumer_group = b.consumer_group
    group by all
), held as (
    -- Of a partition that two processes hold at once, what was begun first.
    select
        cluster, topic, partition, message_offset, consumer_group, min(since) as since,
        max(held_seconds) as held_seconds, arg_min(service, since) as service
    from in_flight
    where consumer_group is not null
    group by all
)
select
    coalesce(h.cluster, u.cluster) as cluster, coalesce(h.topic, u.topic) as topic,
    coalesce(h.partition, u.partition) as partition, coalesce(h.message_offset, u.message_offset) as message_offset,
    coalesce(h.consumer_group, u.consumer_group) as consumer_group, coalesce(h.service, u.service) as service,
    h.since as held_since, h.held_seconds, coalesce(u.failures, 0) as failures, u.first_at, u.last_at,
    u.error_type, n.last_offset
from held h
full join unfinished u on u.cluster is not distinct from h.cluster and u.topic = h.topic
    and u.partition = h.partition and u.message_offset = h.message_offset and u.consumer_group = h.consumer_group
left join newest n on n.topic = u.topic and n.partition = u.partition and n.consumer_group = u.consumer_group;
