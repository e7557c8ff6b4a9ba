-- Flows with one entry, added up over everything stored. The path is that of the flow with the most spans.
create view pathways as
with per_pathway as (
    select
        entry.service as entry_service,
        entry.name as entry_name,
        count(*) as flows,
        count(*) filter (errors > 0) as errors,
        sum(dead_letters)::bigint as dead_letters,
        arg_max({'services': service_entries, 'topics': topic_entries}, (spans, flow_id)) as longest,
        quantile_cont((epoch_ns(ended_at) - epoch_ns(started_at)) / 1e6, [0.5, 0.95]) as total,
        quantile_cont(wait_ns / 1e6, [0.5, 0.95]) filter (hops > 0) as wait,
        quantile_cont(work_ns / 1e6, [0.5, 0.95]) as work,
        min(started_at) as first_seen,
        max(started_at) as last_seen
    from flow_totals
    group by all
)
select
    left(md5(concat(entry_service, chr(31), entry_name)), 16) as pathway_id,
    entry_service, entry_name,
    array_to_string(names_in_order(list_concat(
        [{'seen': e.seen, 'rank': 0, 'name': e.name} for e in longest.services],
        [{'seen': e.seen, 'rank': 1, 'name': e.name} for e in longest.topics]
    )), ' → ') as path,
    flows, errors, errors / flows as error_rate, dead_letters,
    total[1] as total_p50_ms, total[2] as total_p95_ms,
    wait[1] as wait_p50_ms, wait[2] as wait_p95_ms,
    work[1] as work_p50_ms, work[2] as work_p95_ms,
    first_seen, last_seen
from per_pathway;

comment on view pathways is
    'One row a recurring shape of flows, known by its entry';
comment on column pathways.pathway_id is
    'first 16 hex digits of md5(entry_service, unit separator, entry_name)';
comment on column pathways.entry_service is 'service of the root span';
comment on column pathways.entry_name is 'name of the root span';
comment on column pathways.path is 'services and topics of its longest flow, in order of first appearance';
comment on column pathways.flows is 'flows stored';
comment on column pathways.errors is 'flows with an error';
comment on column pathways.error_rate is 'errors by flows, 0 to 1';
comment on column pathways.dead_letters is 'messages sent to dead-letter topics';
comment on column pathways.total_p50_ms is 'median of the total in milliseconds';
comment on column pathways.total_p95_ms is '95th percentile of the total in milliseconds';
comment on column pathways.wait_p50_ms is 'median of the summed waits in milliseconds';
comment on column pathways.wait_p95_ms is '95th percentile of the summed waits in milliseconds';
comment on column pathways.work_p50_ms is 'median of the summed work in milliseconds';
comment on column pathways.work_p95_ms is '95th percentile of the summed work in milliseconds';
comment on column pathways.first_seen is 'start of its first flow, UTC';
comment on column pathways.last_seen is 'start of its newest flow, UTC';
