-- The same where there are several. The innermost process span that names a record is its delivery. Coordinates
-- join, never clocks: a clock only chooses between several sends of one coordinate, and orders attempts.
create or replace temp table candidates as
select d.*, row_number() over () as candidate from touched_deliveries d semi join crowded c
    on c.message_offset = d.message_offset and c.partition = d.partition and c.topic = d.topic
where d.role in ('process', 'batch');
create or replace temp table crowded_pairs as
with outer_ones as (
    select d.candidate
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
        case when fits then m.committed_at end as committed_at,
        case when fits then m.cluster end as send_cluster,
        m.sent_at <= d.started_at + interval 1 second as in_order
    from candidates d
    anti join outer_ones o on o.candidate = d.candidate
    left join touched_sends m
        on m.message_offset = d.message_offset and m.partition = d.partition and m.topic = d.topic
    qualify row_number() over (
        partition by d.message_offset, d.span_id, d.trace_id, d.topic, d.partition
        order by fits desc, in_order desc,
            case when in_order then -epoch_ns(m.sent_at) else epoch_ns(m.sent_at) end,
            m.span_id, d.role desc, d.started_at
    ) = 1
)
select
    s.* exclude (fits, in_order),
    row_number() over attempts as nth,
    lag(s.started_at) over attempts as before_started_at,
    lag(s.ended_at) over attempts as before_ended_at,
    lag(s.trace_id) over attempts as before_trace_id,
    lag(s.span_id) over attempts as before_span_id
from sent s
window attempts as (
    partition by s.topic, s.partition, s.message_offset, s.incarnation, s.consumer_group, s.send_span_id
    order by s.started_at, s.span_id
);
create or replace temp view all_paired as
from paired
union all by name
select * exclude (candidate) from crowded_pairs;
insert into delivery_rows by name
select c.* exclude (candidate) from candidates c anti join crowded_pairs p on p.candidate = c.candidate;
