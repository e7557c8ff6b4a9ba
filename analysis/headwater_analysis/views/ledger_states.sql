-- What became of each message in each group: the first rule that applies, in this order.
-- A share below 0.95 of handled neighbours means that spans are sampled or missing: then nothing is concluded from
-- a delivery that was not seen. Fewer than 20 neighbours tell nothing either way.
create macro ledger_states(of_topic, of_group, seen_since, seen_until) as table
with facts as (
    select *, coalesce(before_count, 0) + coalesce(after_count, 0) as neighbours,
        neighbours / nullif(coalesce(before_span, 0) + coalesce(after_span, 0), 0) as share
    from ledger_facts(of_topic, of_group, seen_since, seen_until)
), limits as (
    -- Where nothing waits, is in hand or was passed, no limit is asked for, and learning reads nothing.
    from learned_limits_since(of_topic, of_group, (
        select case when bool_or(deliveries is null or held_since is not null) then learning_since()
            else '2262-01-01'::timestamp_ns end
        from facts))
), usual as (
    select topic, consumer_group, max(work_limit_ms) as longest_work_ms from limits group by all
), unfinished as (
    select f.cluster, f.topic, f.incarnation, f.partition, f.message_offset, f.consumer_group,
        coalesce(s.flow_id, f.trace_id) as flow_id
    from facts f
    left join split_flows s on s.trace_id = f.trace_id and s.span_id = f.span_id
    where f.trace_id is not null and (f.deliveries is null or f.held_since is not null)
), entries as (
    select p.flow_id, min(p.entry) as entry
    from flow_parts p
    semi join unfinished u on u.flow_id = p.flow_id
    where not p.shared and p.entry is not null and p.received_at >= (
        select case when count(*) > 0 then seen_since::timestamp_ns - interval 1 hour else '2262-01-01'::timestamp_ns end
        from unfinished)
        -- What began after the message was sent is not where its flow began; clocks of two hosts may differ.
        and p.started_at < seen_until::timestamp_ns + interval 1 minute
    group by p.flow_id
), patience as (
    select u.* exclude (flow_id), l.pathway_id, l.wait_limit_ms, l.work_limit_ms
    from unfinished u
    join entries e on e.flow_id = u.flow_id
    join limits l on l.topic = u.topic and l.consumer_group = u.consumer_group
        and l.entry_service = e.entry.service and l.entry_name = e.entry.name
)
select
    f.*, p.wait_limit_ms, p.work_limit_ms,
    case
        when f.abort is not null then 'aborted'
        when f.carrier is not null then f.carrier.state
        when f.undeclared >= 2 or f.copies is not null then 'duplicate'
        when f.ended_well >= 1 then 'done'
        when f.deliveries > 0 and not coalesce(f.held_since > f.last_ended_at, false) then 'failed'
        when f.held_since is not null then 'processing'
        when f.lost_at is not null then 'expired'
        when f.committed is null then null
        when f.committed <= f.message_offset and f.share < 0.95 and f.after_count > 0 then null
        when f.committed <= f.message_offset then 'waiting'
        when f.counted then 'passed'
        when f.before_count is null or f.share < 0.95 then 'passed'
        when f.neighbours < 20 then null
        when f.passed_at > f.judged_at - greatest(interval 60 seconds, to_milliseconds(coalesce(u.longest_work_ms, 0)))
            then 'unsettled'
        else 'skipped'
    end as state
from facts f
left join usual u on u.topic = f.topic and u.consumer_group = f.consumer_group
left join patience p on p.message_offset = f.message_offset and p.partition = f.partition and p.topic = f.topic
    and p.consumer_group = f.consumer_group and p.cluster is not distinct from f.cluster and p.incarnation = f.incarnation;
