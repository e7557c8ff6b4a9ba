-- A flow's own run and those of its replays, each with its totals.
create macro flow_runs(of_flow) as table
with runs as (
    select
        replay, min(started_at) as started_at, max(ended_at) as ended_at, case when sum(hops) > 0 then sum(wait_ns) end as wait_ns,
        sum(work_ns) as work_ns, sum(backoff_ns) as backoff_ns, sum(spans)::integer as spans,
        coalesce(sum(messages), 0)::integer as messages, coalesce(sum(errors), 0)::integer as errors,
        coalesce(sum(dead_letters), 0)::integer as dead_letters
    from flow_parts
    where flow_id = of_flow and not shared
    group by replay
)
select
    case when replay is null then 0
        else row_number() over (partition by replay is null order by started_at, replay) end::integer as run,
    replay as span_id, started_at, ended_at, (epoch_ns(ended_at) - epoch_ns(started_at)) / 1e6 as total_ms,
    wait_ns / 1e6 as wait_ms, work_ns / 1e6 as work_ms, backoff_ns / 1e6 as backoff_ms, spans, messages, errors,
    dead_letters
from runs;

comment on macro table flow_runs is
    'flow_runs(flow_id): one row a run: run (0 the flow''s own, then its replays in order), span_id with which the replay begins, started_at, ended_at, total_ms, wait_ms, work_ms, backoff_ms, spans, messages, errors, dead_letters';
