-- Parts of flows added up. A part is shared where a batch joins several flows; it counts in none.
create view flow_totals as
select
    flow_id,
    sum(spans)::integer as spans,
    sum(working_spans)::integer as working_spans,
    coalesce(sum(errors), 0)::integer as errors,
    coalesce(sum(messages), 0)::integer as messages,
    coalesce(sum(dead_letters), 0)::integer as dead_letters,
    min(started_at) as started_at,
    max(ended_at) as ended_at,
    min(entry) as entry,
    bool_or(trace_id = flow_id and not entry.has_parent) as rooted,
    flatten(list(services)) as service_entries,
    flatten(list(topics)) as topic_entries,
    count(distinct trace_id)::integer as traces,
    coalesce(sum(hops), 0)::integer as hops,
    sum(wait_ns) as wait_ns,
    sum(work_ns) as work_ns,
    sum(backoff_ns) as backoff_ns
from flow_parts
where not shared
group by flow_id
having sum(working_spans) > 0;
