-- Every message sent in a stretch of time with every group that reads its topic, and what is stored about the two: handling,
-- where the group stands, whether the message was carried on, aborted or came twice, and who holds it now.
create macro ledger_pairs(of_topic, of_group, seen_since, seen_until) as table
with positions as (
    from ledger_positions(of_topic, of_group)
), found_messages as (
    from ledger_messages(of_topic, seen_since, seen_until)
), found_deliveries as (
    from ledger_deliveries(of_topic, of_group, seen_since, seen_until)
), topics as (
    -- Whoever does not know its cluster is in the only one that has the topic.
    select topic, case when count(distinct cluster) = 1 then max(cluster) end as only_cluster
    from (
        select topic, cluster from positions
        union all
        select distinct topic, cluster from found_messages
        union all
        select distinct topic, cluster from found_deliveries
    )
    group by topic
), messages as not materialized (
    select m.* replace (coalesce(m.cluster, t.only_cluster) as cluster)
    from found_messages m
    join topics t using (topic)
), deliveries as not materialized (
    select d.* replace (coalesce(d.cluster, t.only_cluster) as cluster)
    from found_deliveries d
    join topics t using (topic)
), readers as (
    select cluster, topic, consumer_group from positions
    union
    select cluster, topic, consumer_group from deliveries
), pairs as (
    select m.*, r.consumer_group
    from messages m
    join readers r on r.topic = m.topic and r.cluster is not distinct from m.cluster
), aborted as (
    select topic, partition, unnest(offsets) as message_offset,
        {'trace_id': trace_id, 'span_id': span_id, 'ended_at': ended_at} as abort
    from ledger_transactions(seen_since, seen_until)
    where outcome = 'aborted' and (of_topic is null or topic = of_topic)
), carried as (
    select c.topic, c.partition, c.message_offset, r.consumer_group,
        min_by({'state': c.state, 'sent_at': c.sent_at, 'trace_id': c.trace_id, 'span_id': c.span_id,
            'message': c.carrier}, (c.sent_at, c.carrier)) as carrier
    from ledger_carriers(seen_since) c
    join (select distinct topic, consumer_group from readers) r on r.topic = c.topic
    left join deliveries d on d.topic = c.topic and d.partition = c.partition
        and d.message_offset = c.message_offset and d.consumer_group = r.consumer_group
    where c.consumer_group = r.consumer_group or (c.consumer_group is null and d.deliveries > 0
        and (c.service is null or list_contains([s.service for s in d.spans], c.service)))
    group by all
), copies as (
    -- An event id on more messages of a topic than that is no id of an event.
    from messages
    where event_id is not null
    qualify count(*) over (partition by topic, event_id) between 2 and most_copies()
), twins as (
    select m.topic, m.event_id, d.consumer_group, max(d.done_at) as again_at,
        list(concat(m.topic, '@', m.partition, ':', m.message_offset) order by m.sent_at) as copies
    from copies m
    join deliveries d on d.message_offset = m.message_offset and d.partition = m.partition and d.topic = m.topic
    where d.undeclared > 0
    group by all
    having count(*) > 1
), held as (
    select h.topic, h.partition, h.consumer_group, h.message_offset, min(h.since) as since, max(h.sampled_at) as sampled_at,
        max(3 * greatest(coalesce(r.sampled_at - r.before_at, interval 60 seconds), interval 5 seconds)) as patience
    from held_rows h
    join reporter_rows r on r.service = h.service and r.instance = h.instance and r.sampled_at = h.sampled_at
    group by all
)
select
    p.*, d.deliveries, d.ended_well, coalesce(d.undeclared, 0) as undeclared, d.done_at, d.last_ended_at, d.spans,
    o.committed, o.judged_at, a.abort, c.carrier, case when d.undeclared > 0 then w.copies end as copies,
    w.again_at as copied_at,
    case when h.sampled_at > coalesce(o.judged_at, h.sampled_at) - h.patience then h.since end as held_since
from pairs p
left join deliveries d on d.message_offset = p.message_offset and d.partition = p.partition and d.topic = p.topic
    and d.consumer_group = p.consumer_group and d.cluster is not distinct from p.cluster and d.incarnation = p.incarnation
left join positions o on o.topic = p.topic and o.partition = p.partition and o.consumer_group = p.consumer_group
    and o.cluster is not distinct from p.cluster and o.incarnation = p.incarnation
left join aborted a on a.message_offset = p.message_offset and a.partition = p.partition and a.topic = p.topic
left join carried c on c.message_offset = p.message_offset and c.partition = p.partition and c.topic = p.topic
    and c.consumer_group = p.consumer_group
left join twins w on w.topic = p.topic and w.event_id = p.event_id and w.consumer_group = p.consumer_group
left join held h on h.message_offset = p.message_offset and h.partition = p.partition and h.topic = p.topic
    and h.consumer_group = p.consumer_group;
