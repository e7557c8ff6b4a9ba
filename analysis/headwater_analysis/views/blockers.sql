-- What a group cannot get over, one row a partition that does not move or is furthest behind, with the links of the
-- chain that are known: offset, message, deliveries, what is in flight.
create view blockers as
with ranked as (
    select
        l.*, g.status as group_status, row_number() over (
            partition by l.cluster, l.consumer_group, l.topic
            order by l.lag_seconds desc nulls last, l.lag desc nulls last, l.partition) as place
    from lag l
    join group_health g on g.cluster is not distinct from l.cluster and g.consumer_group = l.consumer_group
        and g.topic = l.topic
), stuck as (
    select * from ranked
    where status in ('blocked', 'frozen', 'stopped', 'stalled', 'no_commit')
        or (place = 1 and lag > 0 and group_status != 'ok')
), in_hand as (
    select s.cluster, s.consumer_group, s.topic, s.partition, h.message_offset, h.held_since, h.held_seconds, h.service
    from stuck s
    join messages_in_hand(ago(interval 5 minutes), 1) h on (s.cluster is null or h.cluster = s.cluster)
        and h.topic = s.topic and h.partition = s.partition and h.consumer_group = s.consumer_group
    where h.held_seconds is not null or (h.failures >= 3 and h.last_offset <= h.message_offset)
        or h.message_offset >= coalesce(s.committed, h.message_offset)
    qualify row_number() over (
        partition by s.cluster, s.consumer_group, s.topic, s.partition order by h.message_offset) = 1
), placed as (
    select
        s.*, h.held_since, h.held_seconds, h.service as held_by, h.message_offset is not null as in_hand,
        case when s.status = 'frozen' then s.stable_offset
            else coalesce(h.message_offset, s.committed, case when s.status != 'truncated' then s.log_start end)
            end as at_offset
    from stuck s
    left join in_hand h on h.cluster is not distinct from s.cluster and h.topic = s.topic
        and h.partition = s.partition and h.consumer_group = s.consumer_group
), reach as (
    -- What happened longer ago is not looked for: a group that stands still for a week must not cost a week's rows.
    select greatest(least(min(since), min(sampled_at - to_seconds(lag_seconds))) - interval 10 minutes,
        max(sampled_at) - interval 6 hours)::timestamp_ns as since
    from placed
), handed as (
    select
        coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster, h.topic, h.partition, h.message_offset,
        h.consumer_group, count(*) as deliveries, count(*) filter (h.status = 'error') as failures,
        max(h.attempt) as attempt, min(h.started_at) as first_at, max(h.started_at) as last_at,
        max({'at': h.started_at, 'service': h.consumer_service, 'status': h.status, 'error_type': h.error_type,
            'trace_id': h.trace_id, 'span_id': h.span_id}) as last_one
    from hop_rows h
    join reach r on h.received_at >= r.since
    semi join placed p on p.topic = h.topic and p.partition = h.partition and p.at_offset = h.message_offset
        and p.consumer_group = h.consumer_group
    cross join topic_knowledge k
    group by all
), sent as (
    select
        coalesce(m.cluster, k.clusters[m.topic]) as cluster, m.topic, m.partition, m.message_offset,
        max({'at': m.sent_at, 'service': m.service, 'size': m.size, 'key_hash': m.key_hash, 'event_id': m.event_id,
            'trace_id': m.trace_id, 'span_id': m.span_id}) as one
    from message_rows m
    join reach r on m.received_at >= r.since
    semi join placed p on p.topic = m.topic and p.partition = m.partition and p.at_offset = m.message_offset
    cross join topic_knowledge k
    group by all
)
select
    p.cluster, p.consumer_group, p.topic, p.partition, p.status, p.evidence, p.since, p.at_offset as message_offset,
    not (p.in_hand or p.status = 'frozen' or coalesce(h.failures, 0) > 0) as assumed, p.committed, p.lag,
    greatest(p.end_offset - p.at_offset - 1, 0) as waiting_behind, p.lag_seconds, p.member, m.one.at as sent_at,
    m.one.service as sent_by, m.one.size as size, m.one.key_hash as key_hash, m.one.event_id as event_id,
    coalesce(f.flow_id, m.one.trace_id, h.last_one.trace_id) as flow_id, coalesce(h.deliveries, 0) as deliveries,
    coalesce(h.failures, 0) as failures, h.attempt, h.first_at as first_delivery_at, h.last_at as last_delivery_at,
    h.last_one.status as last_status, h.last_one.error_type as error_type,
    coalesce(p.held_by, h.last_one.service) as service, h.last_one.trace_id as trace_id,
    h.last_one.span_id as span_id, p.held_since, p.held_seconds, m.one.trace_id as send_trace_id
from placed p
left join handed h on (p.cluster is null or h.cluster = p.cluster) and h.topic = p.topic and h.partition = p.partition
    and h.message_offset = p.at_offset and h.consumer_group = p.consumer_group
left join sent m on (p.cluster is null or m.cluster = p.cluster) and m.topic = p.topic and m.partition = p.partition
    and m.message_offset = p.at_offset
left join split_flows f on f.trace_id = m.one.trace_id and f.span_id = m.one.span_id;
