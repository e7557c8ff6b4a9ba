-- The parts of flows added up at once, chosen as in flow_parts_of: one row a flow. Columns that nobody asks for cost nothing, and names cost ten
-- times the numbers.
create macro flow_sums(which, of_flows, seen_since, seen_until) as table
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
    sum(backoff_ns) as backoff_ns,
    min(entry) as entry,
    bool_or(trace_id = flow_id and not entry.has_parent) as rooted,
    flatten(list(services)) as service_entries,
    flatten(list(topics)) as topic_entries,
    len(list_distinct(list(trace_id)))::integer as traces
from flow_parts_of(which, of_flows, seen_since, seen_until)
group by flow_id
having sum(working_spans) > 0 and (which != 'begun' or begins_between(min(started_at), seen_since, seen_until));
