-- How the transaction ended that a message was sent in: committed, aborted, unknown, or open while no end is known. One
-- row a send in a transaction.
create view message_transactions as
select
    x.trace_id, x.span_id,
    coalesce(max(t.outcome), 'open') as outcome,
    max(t.ended_at) filter (t.outcome = 'committed') as committed_at
from transacted_rows x
left join transaction_rows t on t.trace_id = x.transaction_trace_id and t.span_id = x.transaction_span_id
group by x.trace_id, x.span_id;
