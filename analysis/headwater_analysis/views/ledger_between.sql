-- The ledger of what was sent from a time to another. topic and group are arguments, since they must reach every step: a filter
-- on the answer is applied after all has been judged.
create macro ledger_between(of_topic, of_group, seen_since, seen_until) as table
with states as (
    from ledger_states(of_topic, of_group, seen_since, seen_until)
), successors as (
    select topic, consumer_group, service, successor_topic, share, limit_ms
    from learned_successors_since(of_topic, of_group, learning_since())
    where limit_ms is not null
), overdue as (
    -- A message handled more than once has led on if any of its deliveries has.
    select l.topic, l.partition, l.message_offset, l.incarnation, l.consumer_group, s.successor_topic, s.share, s.limit_ms,
        max(l.started_at + to_microseconds((s.limit_ms * 1000)::bigint)) as late_at
    -- Where nothing is known to lead on, nothing is read.
    from led_on(of_topic, of_group, (
        select case when count(*) > 0 then '1970-01-02' else '2262-01-01' end::timestamp_ns from successors),
        seen_since, seen_until) l
    join successors s on s.topic = l.topic and s.consumer_group = l.consumer_group and s.service = l.service
    group by all
    having count(l.successors[s.successor_topic]) = 0
), barren as (
    select topic, partition, message_offset, incarnation, consumer_group, min(late_at) as late_at,
        min_by({'topic': successor_topic, 'share': share, 'limit_ms': limit_ms}, late_at) as missing
    from overdue
    group by all
), latest as (
    select max(ended_at) as newest from hop_rows where received_at >= learning_since()
), flagged as (
    select
        s.*,
        case s.state when 'waiting' then s.wait_limit_ms when 'processing' then s.work_limit_ms end as limit_ms,
        case s.state
            when 'waiting' then (epoch_ns(s.judged_at) - epoch_ns(s.available_at)) / 1e6
            when 'processing' then (epoch_ns(coalesce(s.judged_at, n.newest)) - epoch_ns(s.held_since)) / 1e6
        end as elapsed_ms,
        case when s.state in ('done', 'duplicate') and b.late_at < coalesce(s.judged_at::timestamp_ns, n.newest)
            then b.missing end as missing
    from states s
    cross join latest n
    left join barren b on b.message_offset = s.message_offset and b.partition = s.partition and b.topic = s.topic
        and b.consumer_group = s.consumer_group and b.incarnation = s.incarnation
)
select
    cluster, topic, incarnation, partition, message_offset, consumer_group, state,
    case
        when state = 'aborted' then abort.ended_at
        when state in ('dead_lettered', 'retried', 'replayed') then carrier.sent_at
        when state = 'duplicate' then coalesce(list_sort([s.ended_at for s in spans if s.undeclared])[2], copied_at)
        when state = 'done' then done_at
        when state = 'failed' then last_ended_at
        when state = 'processing' then held_since::timestamp_ns
        when state = 'expired' then lost_at::timestamp_ns
        when state = 'waiting' then available_at
        when state in ('passed', 'unsettled', 'skipped') then passed_at::timestamp_ns
    end as since,
    case
        when state in ('skipped', 'failed', 'waiting') then share
        when state in ('passed', 'unsettled') or state is null then null
        else 1.0
    end as confidence,
    case when state not in ('waiting', 'processing') then false else elapsed_ms > limit_ms end as stuck,
    missing is not null as no_successor,
    ledger_evidence(state, abort, carrier, copies, spans, held_since, lost_at, lost_to, committed, log_start,
        message_offset, counted, neighbours, share, judged_at, elapsed_ms, limit_ms, missing, available_at) as evidence,
    sent_at, trace_id, span_id
from flagged;

comment on macro table ledger_between is
    'ledger_between(topic, group, from, to): what ledger says, of the messages sent from one time until before the other; topic and group may be NULL, which means all. The arguments bound the cost, filters on the answer do not';
