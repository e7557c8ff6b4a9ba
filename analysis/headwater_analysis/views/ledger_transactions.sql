-- Transactions whose span is known, one row a transaction and partition: the offsets sent in it, and how it ended.
create macro ledger_transactions(seen_since, seen_until) as table
with transactions as (
    select trace_id, span_id, ended_at, attributes ->> '$."headwater.txn.outcome"' as outcome
    from span_rows
    where name = 'transaction' and started_at >= seen_since::timestamp_ns - interval 15 minutes
        and started_at < seen_until::timestamp_ns
        and contains(attributes, '"headwater.txn.outcome"')
)
select
    t.trace_id, t.span_id, t.outcome, t.ended_at, coalesce(s.cluster, k.clusters[s.topic]) as cluster, s.topic,
    s.partition, list(s.message_offset) as offsets
from transactions t
join span_rows s on s.trace_id = t.trace_id and s.parent_span_id = t.span_id
cross join topic_knowledge k
where s.message_offset is not null and s.partition is not null and s.topic is not null and s.consumer_group is null
    and s.started_at >= seen_since::timestamp_ns - interval 15 minutes
    and s.started_at < seen_until::timestamp_ns + interval 15 minutes
group by all;
