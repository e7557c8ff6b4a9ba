-- Flows with one entry, added up: every one, or those that begin between two times (begun). The path is that of the flow
-- with the most spans; names are gathered for that one alone.
create macro pathways_of(which, seen_since, seen_until) as table
with per_pathway as materialized (
    select
        entry.service as entry_service,
        entry.name as entry_name,
        count(*) as flows,
        count(*) filter (errors > 0) as errors,
        sum(dead_letters)::bigint as dead_letters,
        arg_max(flow_id, (spans, flow_id)) as longest,
        quantile_cont((epoch_ns(ended_at) - epoch_ns(started_at)) / 1e6, [0.5, 0.95]) as total,
        quantile_cont(wait_ns / 1e6, [0.5, 0.95]) filter (hops > 0) as wait,
        quantile_cont(work_ns / 1e6, [0.5, 0.95]) as work,
        min(started_at) as first_seen,
        max(started_at) as last_seen,
        max(ended_at) as last_ended
    from flow_sums(which, null, seen_since, seen_until)
    group by all
), named as (
    select flow_id, service_entries, topic_entries
    from flow_sums(
        'named', (select list(longest) from per_pathway), (select min(first_seen) from per_pathway),
        (select max(last_ended) from per_pathway)
    )
)
select
    left(md5(concat(entry_service, chr(31), entry_name)), 16) as pathway_id,
    entry_service, entry_name,
    array_to_string(names_in_order(list_concat(
        [{'seen': e.seen, 'rank': 0, 'name': e.name} for e in n.service_entries],
        [{'seen': e.seen, 'rank': 1, 'name': e.name} for e in n.topic_entries]
    )), ' → ') as path,
    flows, errors, errors / flows as error_rate, dead_letters,
    total[1] as total_p50_ms, total[2] as total_p95_ms,
    wait[1] as wait_p50_ms, wait[2] as wait_p95_ms,
    work[1] as work_p50_ms, work[2] as work_p95_ms,
    first_seen, last_seen
from per_pathway p
join named n on n.flow_id = p.longest;
