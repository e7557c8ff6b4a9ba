-- How closely the deliveries of a group cover the offsets of a partition, one row an offset accounted for: handled,
-- aborted, or holding the mark that ends a transaction. Counted over the 50 before it and the 50 after it, each
-- against the offsets that they stretch over: so a gap's own width does not count against its edges.
create macro ledger_neighbours(of_topic, of_group, seen_since, seen_until) as table
with reach as (
    -- Neighbours are near by offset: on a slow topic they are hours away.
    select topic, partition, min(message_offset) - 100 as first_offset, max(message_offset) + 100 as last_offset
    from ledger_messages(of_topic, seen_since, seen_until)
    group by all
), handled as (
    select distinct
        coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster, h.topic, coalesce(h.incarnation, 1) as incarnation,
        h.partition, h.consumer_group, h.message_offset
    from hops_of_messages(seen_since::timestamp_ns - interval 6 hours, seen_until::timestamp_ns + interval 6 hours) h
    join reach r on r.topic = h.topic and r.partition = h.partition
    cross join topic_knowledge k
    where h.consumer_group is not null
        and h.message_offset between r.first_offset and r.last_offset
        and (of_topic is null or h.topic = of_topic) and (of_group is null or h.consumer_group = of_group)
), readers as (
    select distinct cluster, topic, incarnation, consumer_group from handled
), unreadable as (
    select cluster, topic, partition,
        unnest(list_append(case when outcome = 'aborted' then offsets else [] end, list_max(offsets) + 1)) as message_offset
    from ledger_transactions(seen_since, seen_until)
    where of_topic is null or topic = of_topic
), accounted as (
    from handled
    union
    select r.cluster, r.topic, r.incarnation, u.partition, r.consumer_group, u.message_offset
    from unreadable u
    join readers r on r.topic = u.topic and coalesce(r.cluster = u.cluster, true)
)
select
    cluster, topic, incarnation, partition, consumer_group, message_offset,
    least(row_number() over along, 50) as before_count,
    message_offset - coalesce(lag(message_offset, 49) over along, first_value(message_offset) over along) + 1 as before_span,
    least(row_number() over back, 50) as after_count,
    coalesce(lag(message_offset, 49) over back, first_value(message_offset) over back) - message_offset + 1 as after_span
from accounted
window
    along as (partition by cluster, topic, incarnation, partition, consumer_group order by message_offset),
    back as (partition by cluster, topic, incarnation, partition, consumer_group order by message_offset desc);
