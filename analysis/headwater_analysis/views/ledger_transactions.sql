-- Transactions whose end is known, one row a transaction and partition: the offsets sent in it, and how it ended. A
-- send belongs to the transaction that is its parent, or that it links to where a transaction spans several handlers.
-- A transaction lasts at most 15 minutes, unless a broker was told otherwise.
create macro ledger_transactions(seen_since, seen_until) as table
with transactions as (
    select trace_id, span_id, outcome, ended_at from transaction_rows
    where ended_at >= seen_since::timestamp_ns - interval 15 minutes
        and ended_at < seen_until::timestamp_ns + interval 30 minutes
), sends as (
    select s.trace_id, s.parent_span_id as span_id, s.cluster, s.topic, s.partition, s.message_offset
    from span_rows s
    semi join transactions t on t.trace_id = s.trace_id and t.span_id = s.parent_span_id
    where message_offset is not null and partition is not null and topic is not null and consumer_group is null
        and started_at >= seen_since::timestamp_ns - interval 15 minutes
        and started_at < seen_until::timestamp_ns + interval 15 minutes
    union
    select x.transaction_trace_id, x.transaction_span_id, m.cluster, m.topic, m.partition, m.message_offset
    from (from transacted_rows semi join transactions t
        on t.trace_id = transacted_rows.transaction_trace_id and t.span_id = transacted_rows.transaction_span_id) x
    join message_rows m on m.trace_id = x.trace_id and m.span_id = x.span_id
    where m.sent_at >= seen_since::timestamp_ns - interval 15 minutes
        and m.sent_at < seen_until::timestamp_ns + interval 15 minutes
)
select
    t.trace_id, t.span_id, t.outcome, t.ended_at, coalesce(s.cluster, k.clusters[s.topic]) as cluster, s.topic,
    s.partition, list(distinct s.message_offset) as offsets
from transactions t
join sends s on s.trace_id = t.trace_id and s.span_id = t.span_id
cross join topic_knowledge k
group by all;
