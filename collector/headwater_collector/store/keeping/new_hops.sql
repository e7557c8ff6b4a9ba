-- Every touched delivery joined to the send of its message. The innermost process span that names a record is
-- its delivery; coordinates join, never clocks: a clock only chooses between several sends of one coordinate.
create or replace temp table new_hops as
with delivered as (
    select d.*
    from touched_deliveries d
    where d.role in ('process', 'batch') and not exists (
        from touched_deliveries i
        where i.role = 'process' and i.topic = d.topic and i.partition = d.partition
            and i.message_offset = d.message_offset and i.trace_id = d.trace_id and i.span_id != d.span_id
            and coalesce(i.consumer_group = d.consumer_group, true)
            and (i.parent_span_id = d.span_id or (
                i.service is not distinct from d.service
                and i.started_at >= d.started_at and i.ended_at <= d.ended_at
                and (i.started_at > d.started_at or i.ended_at < d.ended_at)))
    )
), sent as (
    select
        d.*, m.trace_id as send_trace_id, m.span_id as send_span_id, m.service as producer_service, m.sent_at,
        m.available_at as acked_at, coalesce(d.cluster, m.cluster) as joined_cluster,
        m.sent_at <= d.started_at + interval 1 second as in_order
    from delivered d
    left join touched_sends m
        on m.topic = d.topic and m.partition = d.partition and m.message_offset = d.message_offset
        and coalesce(m.cluster = d.cluster, true) and coalesce(m.incarnation = d.incarnation, true)
    qualify row_number() over (
        partition by d.trace_id, d.span_id, d.topic, d.partition, d.message_offset
        order by in_order desc, case when in_order then -epoch_ns(m.sent_at) else epoch_ns(m.sent_at) end,
            m.span_id, d.role desc
    ) = 1
), ranked as (
    select
        s.*,
        row_number() over attempts as nth,
        lag(ended_at) over attempts as before_ended_at,
        lag(started_at) over attempts as before_started_at,
        lag(trace_id) over attempts as before_trace_id,
        lag(span_id) over attempts as before_span_id,
        (select max(r.ended_at) from touched_deliveries r
            where r.role = 'receive' and r.topic = s.topic and r.partition = s.partition
                and r.message_offset = s.message_offset and r.service is not distinct from s.service
                and coalesce(r.consumer_group = s.consumer_group, true)
                and r.ended_at <= s.started_at) as fetched_at
    from sent s
    window attempts as (
        partition by topic, partition, message_offset, incarnation, consumer_group, send_span_id
        order by started_at, span_id
    )
), counted as (
    select
        *,
        coalesce(acked_at, case when record_time is not null then record_at end) as known_at,
        case
            when nth > 1 and due_at between before_ended_at and started_at then 'due'
            when nth > 1 and before_ended_at <= started_at then 'previous_attempt'
            when nth > 1 then 'overlap'
            when due_at <= started_at and coalesce(attempt, 2) > 1 then 'due'
            when sent_at is not null and started_at < sent_at - interval 1 millisecond then null
            when sent_at is not null and started_at < acked_at then 'overlap'
            when sent_at is not null then 'acknowledged'
            when record_time = 'append' and record_at <= started_at then 'append_time'
            when record_time = 'create' and record_at <= started_at then 'create_time'
        end as method
    from ranked
), placed as (
    select
        *,
        case method
            when 'due' then greatest(due_at, case when nth = 1 then known_at end)
            when 'previous_attempt' then before_ended_at
            else known_at
        end as from_at
    from counted
)
select
    received_at, joined_cluster as cluster, topic, incarnation, partition, message_offset, consumer_group,
    (coalesce(attempt, 1) + nth - 1)::integer as attempt, role, send_trace_id, send_span_id, producer_service,
    trace_id, span_id, service as consumer_service, sent_at, from_at as available_at, fetched_at, started_at,
    ended_at, status, error_type, redelivered,
    epoch_ns(acked_at) - epoch_ns(sent_at) as send_ns,
    case when method = 'overlap' then 0
        when method is not null then greatest(epoch_ns(started_at) - epoch_ns(from_at), 0) end as wait_ns,
    case when method is not null and method != 'overlap' then
        least(epoch_ns(started_at) - epoch_ns(fetched_at), wait_ns) end as local_wait_ns,
    case when ended_at >= started_at then epoch_ns(ended_at) - epoch_ns(started_at) end as work_ns,
    case when method = 'due' then
        epoch_ns(from_at) - epoch_ns(case when nth > 1 then before_ended_at else known_at end) end as backoff_ns,
    epoch_ns(ended_at) - epoch_ns(coalesce(sent_at, known_at)) as total_ns,
    method as wait_method,
    case when method = 'overlap' then
        greatest(epoch_ns(started_at) - epoch_ns(case when nth > 1 then before_started_at else sent_at end), 0)
    end as wait_bound_ns,
    started_at < sent_at - interval 1 millisecond as skewed,
    parent_span_id, before_trace_id, before_span_id
from placed;
