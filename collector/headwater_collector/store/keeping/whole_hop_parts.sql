-- Those parts, with what messages and hops add to those flows, and what replaced hops take back.
insert into flow_parts by name
with changes as (
    select received_at, coalesce(owner_trace_id, trace_id) as trace_id, 1 as sign, wait_ns,
        elapsed_ns(started_at, ended_at) as work_ns, backoff_ns, 0 as dead_letters
    from new_hops
    union all
    select received_at, coalesce(owner_trace_id, trace_id), -1, -wait_ns, -elapsed_ns(started_at, ended_at),
        -backoff_ns, 0
    from old_hops
    union all
    select received_at, trace_id, 0, null, null, null, 1 from new_messages where dead_letter
), hops as (
    select
        min(received_at) as hop_received_at, trace_id,
        coalesce(sum(sign) filter (wait_ns is not null), 0) as hops, sum(dead_letters) as dead_letters,
        sum(wait_ns) as wait_ns, sum(work_ns) as work_ns, sum(backoff_ns) as backoff_ns
    from changes
    where trace_id not in (from touched_splits)
    group by trace_id
    having hops != 0 or dead_letters > 0 or wait_ns != 0 or work_ns != 0 or backoff_ns != 0
)
select
    * exclude (hop_received_at) replace (least(received_at, hop_received_at) as received_at),
    trace_id as flow_id, '' as boundary, false as shared
from whole_spans full join hops using (trace_id);
