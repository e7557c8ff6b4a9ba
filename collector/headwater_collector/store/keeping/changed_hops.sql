-- What messages and hops add to those flows, and what replaced hops and aborted messages take back.
create or replace temp view changed_hops as
with changes as (
    select received_at, coalesce(owner_trace_id, trace_id) as trace_id, 1 as sign, wait_ns,
        elapsed_ns(started_at, ended_at) as work_ns, backoff_ns, 0 as dead_letters, 0 as messages,
        (coalesce(started_at < sent_at - interval 1 millisecond, false))::integer as doubtful
    from new_hops
    union all
    select received_at, coalesce(owner_trace_id, trace_id), -1, -wait_ns, -elapsed_ns(started_at, ended_at),
        -backoff_ns, 0, 0, -(coalesce(started_at < sent_at - interval 1 millisecond, false))::integer
    from old_hops
    union all
    select received_at, trace_id, 0, null, null, null, 1, 0, 0 from new_messages where dead_letter
    union all
    select received_at, trace_id, 0, null, null, null, -dead_letter::integer, -1, 0
    from ended_sends where aborted
)
select
    min(c.received_at) as received_at, c.trace_id,
    coalesce(sum(sign) filter (wait_ns is not null), 0) as hops, sum(dead_letters) as dead_letters,
    sum(messages) as messages, sum(doubtful) as doubtful,
    sum(wait_ns) as wait_ns, sum(work_ns) as work_ns, sum(backoff_ns) as backoff_ns
from changes c
anti join touched_splits t on t.trace_id = c.trace_id
group by c.trace_id
having hops != 0 or dead_letters != 0 or messages != 0 or doubtful != 0 or wait_ns != 0 or work_ns != 0 or backoff_ns != 0;
