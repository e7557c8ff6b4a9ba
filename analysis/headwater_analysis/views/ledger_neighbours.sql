-- How closely the deliveries of a group cover the offsets of a partition, one row an offset accounted for: handled,
-- aborted, or holding the mark that ends a transaction. Counted over the 50 before it and the 50 after it, each
-- against the offsets that they stretch over: so a gap's own width does not count against its edges.
create macro ledger_neighbours(of_topic, of_group, seen_since, seen_until) as table
with reach as (
    -- Neighbours are near by offset: on a slow topic they are hours away.
    select topic, partition, min(message_offset) - 100 as first_offset, max(message_offset) + 100 as last_offset
    from (
        select topic, partition, message_offset from message_rows
        where sent_at >= seen_since::timestamp_ns and sent_at < seen_until::timestamp_ns
        union all
        select topic, partition, message_offset from hop_rows
        where send_span_id is null and started_at >= seen_since::timestamp_ns and started_at < seen_until::timestamp_ns
    )
    where of_topic is null or topic = of_topic
    group by all
), handled as materialized (
    select
        coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster, h.topic, coalesce(h.incarnation, 1) as incarnation,
        h.partition, h.consumer_group, h.message_offset,
        ledger_lane(cluster, h.topic, incarnation, h.partition, h.consumer_group) as lane
    from hops_of_messages(seen_since::timestamp_ns - interval 6 hours, seen_until::timestamp_ns + interval 6 hours) h
    join reach r on r.topic = h.topic and r.partition = h.partition
    cross join topic_knowledge k
    where h.consumer_group is not null
        and h.message_offset between r.first_offset and r.last_offset
        and (of_topic is null or h.topic = of_topic) and (of_group is null or h.consumer_group = of_group)
), lanes as (
    select any_value({'cluster': cluster, 'topic': topic, 'incarnation': incarnation, 'consumer_group': consumer_group})
        as reader
    from handled
    group by lane
), readers as (
    select distinct reader.cluster as cluster, reader.topic as topic, reader.incarnation as incarnation,
        reader.consumer_group as consumer_group
    from lanes
), unreadable as (
    select cluster, topic, partition,
        unnest(list_append(case when outcome = 'aborted' then offsets else [] end, list_max(offsets) + 1)) as message_offset
    from ledger_transactions(seen_since, seen_until)
    where of_topic is null or topic = of_topic
), accounted as (
    select lane, message_offset from handled
    union
    select ledger_lane(r.cluster, r.topic, r.incarnation, u.partition, r.consumer_group), u.message_offset
    from unreadable u
    join readers r on r.topic = u.topic and coalesce(r.cluster = u.cluster, true)
), placed as (
    select
        lane, message_offset, row_number() over along as place, count(*) over whole as places,
        coalesce(lag(message_offset, 49) over along, first_value(message_offset) over along) as first_offset,
        coalesce(lead(message_offset, 49) over along, last_value(message_offset) over whole) as last_offset
    from accounted
    window
        along as (partition by lane order by message_offset),
        whole as (partition by lane order by message_offset rows between unbounded preceding and unbounded following)
)
select
    lane, message_offset, least(place, 50) as before_count, message_offset - first_offset + 1 as before_span,
    least(places - place + 1, 50) as after_count, last_offset - message_offset + 1 as after_span
from placed;
