-- What each service sent, and which topics it reads and writes.
create view services as
with per_resource as (
    select service, resource_id, min(started_at) as first_seen, max(started_at) as last_seen,
        count(*) as spans, count(*) filter (status = 'error') as errors,
        list(distinct topic) filter (operation in ('process', 'receive') or kind = 'consumer') as topics_in,
        list(distinct topic) filter (operation in ('send', 'publish', 'create') or kind = 'producer') as topics_out
    from span_rows
    group by service, resource_id
)
select
    p.service,
    min(p.first_seen) as first_seen, max(p.last_seen) as last_seen,
    sum(p.spans)::bigint as spans, sum(p.errors)::bigint as errors,
    count(distinct coalesce(r.attributes ->> '$."service.instance.id"', r.resource_id::varchar)) as instances,
    max_by(r.attributes ->> '$."telemetry.sdk.language"', p.last_seen) as sdk_language,
    max_by(r.attributes ->> '$."telemetry.sdk.version"', p.last_seen) as sdk_version,
    list_sort(list_distinct(coalesce(flatten(list(p.topics_in)), []))) as topics_in,
    list_sort(list_distinct(coalesce(flatten(list(p.topics_out)), []))) as topics_out
from per_resource p
left join resource_rows r on r.resource_id = p.resource_id
group by p.service;

comment on view services is
    'One row a service that sent spans';
comment on column services.service is 'service.name of the resource';
comment on column services.first_seen is 'start of its first span, UTC';
comment on column services.last_seen is 'start of its newest span, UTC';
comment on column services.spans is 'spans stored';
comment on column services.errors is 'spans that ended in error';
comment on column services.instances is 'distinct service.instance.id';
comment on column services.sdk_language is 'telemetry.sdk.language of the newest';
comment on column services.sdk_version is 'telemetry.sdk.version of the newest';
comment on column services.topics_in is 'topics it reads';
comment on column services.topics_out is 'topics it writes';
