-- Every flow added up. Numbers first, names afterwards, grouped by those numbers: so a question's limits on time or
-- errors reach the first step, and names are gathered only for the flows that are left.
create view flow_totals as
select
    n.flow_id, n.spans, n.working_spans, n.errors, n.messages, n.dead_letters, n.started_at, n.ended_at, n.doubtful,
    n.hops, n.wait_ns, n.work_ns, n.backoff_ns,
    min(p.entry) as entry,
    bool_or(p.trace_id = n.flow_id and not p.entry.has_parent) as rooted,
    flatten(list(p.services)) as service_entries,
    flatten(list(p.topics)) as topic_entries,
    count(distinct p.trace_id)::integer as traces
from flow_sums('every', null, null, null) n
join flow_parts p on p.flow_id = n.flow_id and not p.shared and p.replay is null
group by n.flow_id, n.spans, n.working_spans, n.errors, n.messages, n.dead_letters, n.started_at, n.ended_at,
    n.doubtful, n.hops, n.wait_ns, n.work_ns, n.backoff_ns;
