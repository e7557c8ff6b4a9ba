-- What the resources of services say of themselves.
create macro service_coverage(seen_since) as table
with per_resource as (
    select
        service, resource_id, count(*) as spans, max(trace_id) as trace_id, max(received_at) as last_at,
        count(*) filter (list_contains(marks, 'far_future')) as far_future,
        max(trace_id) filter (list_contains(marks, 'far_future')) as far_future_trace_id
    from span_rows
    where received_at >= seen_since::timestamp_ns
    group by service, resource_id
)
select
    p.service, sum(p.spans)::bigint as spans, max(p.trace_id) as trace_id,
    sum(p.spans) filter (r.attributes ->> '$."service.instance.id"' is null)::bigint as without_instance,
    max_by(r.attributes ->> '$."telemetry.sdk.language"', p.last_at) as sdk_language,
    max_by(r.attributes ->> '$."host.name"', p.last_at) as host,
    max_by(r.attributes ->> '$."process.command_line"', p.last_at) as command_line,
    sum(p.far_future)::bigint as far_future, max(p.far_future_trace_id) as far_future_trace_id
from per_resource p
left join resource_rows r on r.resource_id = p.resource_id
group by p.service;

comment on macro table service_coverage is
    'service_coverage(since): one row a service whose spans were received since then: spans, without_instance (spans without service.instance.id), sdk_language, host, command_line, far_future (spans that begin or end well after they were received), and a trace id as example of each';
