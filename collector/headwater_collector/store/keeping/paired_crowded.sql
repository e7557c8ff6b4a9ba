-- The same where there are several. The innermost process span that names a record is its delivery. Coordinates
-- join, never clocks: a clock only chooses between several sends of one coordinate, and orders attempts.
insert into paired by name
with candidates as (
    select d.* from touched_deliveries d semi join crowded c
        on c.message_offset = d.message_offset and c.partition = d.partition and c.topic = d.topic
), outer_ones as (
    select d.trace_id, d.span_id, d.topic, d.partition, d.message_offset
    from candidates d
    join candidates i
        on i.trace_id = d.trace_id and i.message_offset = d.message_offset and i.partition = d.partition
        and i.topic = d.topic and i.span_id != d.span_id and coalesce(i.consumer_group = d.consumer_group, true)
    where i.role = 'process' and (i.parent_span_id = d.span_id or (
        i.service is not distinct from d.service and i.started_at >= d.started_at and i.ended_at <= d.ended_at
        and (i.started_at > d.started_at or i.ended_at < d.ended_at)))
), sent as (
    select
        d.*,
        coalesce(m.cluster = d.cluster, true) and coalesce(m.incarnation = d.incarnation, true) as fits,
        case when fits then m.trace_id end as send_trace_id,
        case when fits then m.span_id end as send_span_id,
        case when fits then m.service end as producer_service,
        case when fits then m.sent_at end as sent_at,
        case when fits then m.available_at end as acked_at,
        coalesce(d.cluster, case when fits then m.cluster end) as joined_cluster,
        m.sent_at <= d.started_at + interval 1 second as in_order
    from candidates d
    anti join outer_ones o
        on o.span_id = d.span_id and o.message_offset = d.message_offset and o.trace_id = d.trace_id
        and o.topic = d.topic and o.partition = d.partition
    left join touched_sends m
        on m.message_offset = d.message_offset and m.partition = d.partition and m.topic = d.topic
    where d.role in ('process', 'batch')
    qualify row_number() over (
        partition by d.message_offset, d.span_id, d.trace_id, d.topic, d.partition
        order by fits desc, in_order desc,
            case when in_order then -epoch_ns(m.sent_at) else epoch_ns(m.sent_at) end,
            m.span_id, d.role desc, d.started_at
    ) = 1
), fetched as (
    select s.trace_id, s.span_id, s.topic, s.partition, s.message_offset, max(r.ended_at) as fetched_at
    from sent s
    join candidates r
        on r.message_offset = s.message_offset and r.partition = s.partition and r.topic = s.topic
        and coalesce(r.consumer_group = s.consumer_group, true)
    where r.role = 'receive' and r.service is not distinct from s.service and r.ended_at <= s.started_at
    group by all
)
select
    s.* exclude (fits, in_order),
    row_number() over attempts as nth,
    lag(s.started_at) over attempts as before_started_at,
    lag(s.ended_at) over attempts as before_ended_at,
    lag(s.trace_id) over attempts as before_trace_id,
    lag(s.span_id) over attempts as before_span_id,
    f.fetched_at
from sent s
left join fetched f using (trace_id, span_id, topic, partition, message_offset)
window attempts as (
    partition by s.topic, s.partition, s.message_offset, s.incarnation, s.consumer_group, s.send_span_id
    order by s.started_at, s.span_id
);
