-- Flows with their totals, chosen as in flow_parts_of. Sums count parallel branches each.
create macro flows_of(which, of_flows, seen_since, seen_until, sent_since) as table
with totals as not materialized (
    from flow_totals
    where which = 'every'
    union all by name
    from flow_sums(which, of_flows, seen_since, seen_until)
    where which != 'every'
), replayed as (
    select flow_id, count(distinct replay)::integer as replays,
        bool_or(trace_id = flow_id and not entry.has_parent) as rooted
    from flow_parts
    where replay is not null and not shared
    group by flow_id
), known as not materialized (
    select t.* replace (coalesce(t.rooted or r.rooted, t.rooted, r.rooted) as rooted), coalesce(r.replays, 0) as replays,
        a.flow_id is not null as awaited
    from totals t
    left join replayed r on r.flow_id = t.flow_id
    left join awaited_flows(which = 'every', of_flows, sent_since) a on a.flow_id = t.flow_id
)
select
    flow_id,
    left(md5(concat(entry.service, chr(31), entry.name)), 16) as pathway_id,
    entry.service as entry_service,
    entry.name as entry_name,
    started_at, ended_at,
    (epoch_ns(ended_at) - epoch_ns(started_at)) / 1e6 as total_ms,
    case when hops > 0 then wait_ns / 1e6 end as wait_ms,
    work_ns / 1e6 as work_ms,
    backoff_ns / 1e6 as backoff_ms,
    spans, messages,
    names_in_order(service_entries) as services,
    names_in_order(topic_entries) as topics,
    errors, dead_letters,
    case when errors > 0 then 'error' when awaited then 'open' else 'ok' end as status,
    not awaited and rooted as complete,
    not rooted as orphan,
    traces,
    case when complete then total_ms end as converged_ms,
    replays, doubtful
from known;
