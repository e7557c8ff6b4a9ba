-- Transactions that end in this batch, its sends in transactions, and the sends whose transaction's end is known since
-- now. aborted_sends are of these the ones that count no more; the same span may come twice.
create or replace temp table new_transactions as
select received_at, trace_id, span_id, attributes ->> '$."headwater.txn.outcome"' as outcome, ended_at
from batch_spans
where name = 'transaction' and contains(attributes, '"headwater.txn.outcome"');
create or replace temp table new_transacted as
with sends as (
    select
        f.received_at, f.trace_id, f.span_id, f.parent_span_id, f.topic, f.partition, f.message_offset,
        coalesce(m.dead_letter, false) as dead_letter
    from new_facts f
    left join new_messages m on m.trace_id = f.trace_id and m.span_id = f.span_id
    where f.role = 'send' and f.transactional and f.topic is not null and f.status != 'error'
)
select * exclude (parent_span_id), trace_id as transaction_trace_id, parent_span_id as transaction_span_id
from sends where parent_span_id is not null
union
select s.* exclude (parent_span_id), l.linked_trace_id, l.linked_span_id
from sends s join batch_links l on l.trace_id = s.trace_id and l.span_id = s.span_id;
create or replace temp table ended_sends as
with old_pairs as (
    select x.trace_id, x.span_id
    from transacted_rows x
    join transaction_rows t on t.trace_id = x.transaction_trace_id and t.span_id = x.transaction_span_id
    semi join new_transactions n on n.trace_id = t.trace_id and n.span_id = t.span_id
), pairs as (
    select x.*, t.outcome
    from new_transacted x
    join (from transaction_rows union all from new_transactions) t
        on t.trace_id = x.transaction_trace_id and t.span_id = x.transaction_span_id
    union all
    select x.*, t.outcome
    from transacted_rows x
    join new_transactions t on t.trace_id = x.transaction_trace_id and t.span_id = x.transaction_span_id
)
select
    min(received_at) as received_at, trace_id, span_id, any_value(topic) as topic, any_value(partition) as partition,
    any_value(message_offset) as message_offset, bool_or(dead_letter) as dead_letter,
    bool_or(outcome = 'aborted') as aborted
from pairs p
anti join old_pairs o on o.trace_id = p.trace_id and o.span_id = p.span_id
group by trace_id, span_id;
insert into transaction_rows by name from new_transactions;
insert into transacted_rows by name from new_transacted;
