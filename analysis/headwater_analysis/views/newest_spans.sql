-- The newest spans that began between two times, of a service, name or status, or that took so long; NULL for any. Which
-- they are is looked for by these columns alone; all others are read only of spans between the times of those found.
create macro newest_spans(
    number, seen_since := null, seen_until := null, of_service := null, of_name := null, of_status := null, least_ms := null
) as table
with found as materialized (
    select trace_id, span_id, started_at
    from span_rows
    where (of_service is null or service = of_service)
        and (of_name is null or name = of_name)
        and (of_status is null or status = of_status)
        and (least_ms is null or (epoch_ns(ended_at) - epoch_ns(started_at)) / 1e6 >= least_ms)
        and started_at >= coalesce(seen_since::timestamp_ns, timestamp_ns '1677-09-22')
        and started_at < coalesce(seen_until::timestamp_ns, timestamp_ns '2262-04-11')
    order by started_at desc, trace_id, span_id
    limit number
), seen as materialized (
    select min(started_at) as first_at, max(started_at) as last_at from found
)
select s.*
from spans s
join seen on s.started_at >= seen.first_at and s.started_at <= seen.last_at
semi join found f on f.trace_id = s.trace_id and f.span_id = s.span_id and f.started_at = s.started_at
where (of_service is null or s.service = of_service)
    and (of_name is null or s.name = of_name)
    and (of_status is null or s.status = of_status)
    and (least_ms is null or s.duration_ms >= least_ms)
order by s.started_at desc, s.trace_id, s.span_id
limit number;

comment on macro table newest_spans is
    'newest_spans(number, seen_since := time, seen_until := time, of_service := name, of_name := name, of_status := word, least_ms := number): the newest spans that began between two times, the first included; what is left out may be anything. Columns as in spans. Sooner than spans in order of time, which are read with all of their columns before the newest are told';
