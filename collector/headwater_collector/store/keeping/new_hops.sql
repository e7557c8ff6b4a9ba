-- Every touched delivery, with what it waited for and how long. What two of these times tell at no cost, work and
-- total, is left to the questions.
create or replace temp table new_hops as
with counted as (
    select
        p.*, f.fetched_at,
        -- A record may be read before its producer hears that the transaction ended.
        case
            when reads_committed and committed_at > acked_at then greatest(least(committed_at, started_at), acked_at)
            when acked_at is not null then acked_at
            when record_time is not null then record_at
        end as known_at,
        case
            when nth > 1 and due_at between before_ended_at and started_at then 'due'
            when nth > 1 and before_ended_at <= started_at then 'previous_attempt'
            when nth > 1 then 'overlap'
            when due_at <= started_at and coalesce(said_attempt, 2) > 1 then 'due'
            when sent_at is not null and started_at < sent_at - interval 1 millisecond then null
            when sent_at is not null and started_at < acked_at then 'overlap'
            when reads_committed and started_at < committed_at then 'overlap'
            when reads_committed and committed_at is not null then 'committed'
            when sent_at is not null then 'acknowledged'
            when record_time = 'append' and record_at <= started_at then 'append_time'
            when record_time = 'create' and record_at <= started_at then 'create_time'
        end as method
    from all_paired p
    left join fetched f using (message_offset, span_id, trace_id, topic, partition)
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
    received_at, cluster, send_cluster, topic, incarnation, partition, message_offset, consumer_group,
    (coalesce(said_attempt, 1) + nth - 1)::integer as attempt, role,
    case when role = 'batch' then send_trace_id end as owner_trace_id,
    case when role = 'batch' then send_span_id end as owner_span_id,
    send_trace_id, send_span_id, producer_service,
    trace_id, span_id, parent_span_id, service as consumer_service, sent_at, from_at as available_at, fetched_at,
    started_at, ended_at, status, error_type, redelivered, said_attempt, due_at, record_at, record_time,
    epoch_ns(acked_at) - epoch_ns(sent_at) as send_ns,
    case when method = 'overlap' then 0
        when method is not null then greatest(epoch_ns(started_at) - epoch_ns(from_at), 0) end as wait_ns,
    case when method = 'due' then
        epoch_ns(from_at) - epoch_ns(case when nth > 1 then before_ended_at else known_at end) end as backoff_ns,
    method as wait_method,
    case when method = 'overlap' then
        greatest(epoch_ns(started_at) - epoch_ns(case
            when nth > 1 then before_started_at
            when started_at >= acked_at then acked_at
            else sent_at
        end), 0)
    end as wait_bound_ns, reads_committed,
    before_trace_id, before_span_id
from placed;
insert into hop_rows by name select * exclude (before_trace_id, before_span_id) from new_hops;
