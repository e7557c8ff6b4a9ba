-- Parts of flows added up. A part is shared where a batch joins several flows; it counts in none. A replay is a run of
-- its own and counts in none either.
-- Numbers first, names afterwards, grouped by those numbers: so a question's limits on time or errors reach the first
-- step, and names are gathered only for the flows that are left, which costs ten times the numbers.
create view flow_totals as
with numbers as (
    select
        flow_id,
        sum(spans)::integer as spans,
        sum(working_spans)::integer as working_spans,
        coalesce(sum(errors), 0)::integer as errors,
        coalesce(sum(messages), 0)::integer as messages,
        coalesce(sum(dead_letters), 0)::integer as dead_letters,
        min(started_at) as started_at,
        greatest(max(ended_at), min(started_at)) as ended_at,
        coalesce(sum(doubtful), 0)::integer as doubtful,
        coalesce(sum(hops), 0)::integer as hops,
        sum(wait_ns) as wait_ns,
        sum(work_ns) as work_ns,
        sum(backoff_ns) as backoff_ns
    from flow_parts
    where not shared and replay is null
    group by flow_id
    having sum(working_spans) > 0
)
select
    n.flow_id, n.spans, n.working_spans, n.errors, n.messages, n.dead_letters, n.started_at, n.ended_at, n.hops,
    n.wait_ns, n.work_ns, n.backoff_ns, n.doubtful,
    min(p.entry) filter (p.replay is null) as entry,
    bool_or(p.trace_id = n.flow_id and not p.entry.has_parent) as rooted,
    flatten(list(p.services) filter (p.replay is null)) as service_entries,
    flatten(list(p.topics) filter (p.replay is null)) as topic_entries,
    count(distinct p.trace_id) filter (p.replay is null)::integer as traces,
    count(distinct p.replay)::integer as replays
from numbers n
join flow_parts p on p.flow_id = n.flow_id and not p.shared
group by n.flow_id, n.spans, n.working_spans, n.errors, n.messages, n.dead_letters, n.started_at, n.ended_at, n.hops,
    n.wait_ns, n.work_ns, n.backoff_ns, n.doubtful;
