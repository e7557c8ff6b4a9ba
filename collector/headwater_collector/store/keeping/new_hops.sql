-- Every touched delivery, with what it waited for and how long.
create or replace temp table new_hops as
with counted as (
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
    from paired
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
    (coalesce(attempt, 1) + nth - 1)::integer as attempt, role,
    case when role = 'batch' and send_span_id is not null then send_trace_id else trace_id end as owner_trace_id,
    case when role = 'batch' and send_span_id is not null then send_span_id else span_id end as owner_span_id,
    send_trace_id, send_span_id, producer_service,
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
