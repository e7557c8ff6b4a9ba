-- What remains of the flows that go. A flow whose parts go at different times counts once, with its root.
insert into pathway_hours by name
select
    date_trunc('hour', started_at)::timestamp as hour, entry.service as entry_service, entry.name as entry_name,
    count(*) as flows, count(*) filter (errors > 0) as errors, coalesce(sum(dead_letters), 0)::bigint as dead_letters,
    quantile_cont(total_ms, 0.5) as total_p50_ms, quantile_cont(total_ms, 0.95) as total_p95_ms,
    quantile_cont(wait_ns / 1e6, 0.95) as wait_p95_ms, quantile_cont(work_ns / 1e6, 0.95) as work_p95_ms
from aged_flows f
where not entry.has_parent and not exists (
    from newly_kept k join flow_parts p on p.trace_id = k.trace_id where p.flow_id = f.flow_id
)
group by all;
