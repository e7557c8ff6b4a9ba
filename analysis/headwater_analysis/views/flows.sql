-- Flows with their totals. Sums count parallel branches each.
create view flows as
with awaited as (
    select coalesce(f.flow_id, a.trace_id) as flow_id
    from awaited_messages a
    left join split_flows f on f.trace_id = a.trace_id and f.span_id = a.span_id
    where f.replay is null
    group by all
)
select
    t.flow_id,
    left(md5(concat(t.entry.service, chr(31), t.entry.name)), 16) as pathway_id,
    t.entry.service as entry_service,
    t.entry.name as entry_name,
    t.started_at, t.ended_at,
    (epoch_ns(t.ended_at) - epoch_ns(t.started_at)) / 1e6 as total_ms,
    case when t.hops > 0 then t.wait_ns / 1e6 end as wait_ms,
    t.work_ns / 1e6 as work_ms,
    t.backoff_ns / 1e6 as backoff_ms,
    t.spans, t.messages,
    names_in_order(t.service_entries) as services,
    names_in_order(t.topic_entries) as topics,
    t.errors, t.dead_letters,
    case when t.errors > 0 then 'error' when a.flow_id is not null then 'open' else 'ok' end as status,
    a.flow_id is null and t.rooted as complete,
    not t.rooted as orphan,
    t.traces,
    case when complete then total_ms end as converged_ms,
    t.replays, t.doubtful
from flow_totals t
left join awaited a on a.flow_id = t.flow_id;

comment on view flows is
    'One row a flow: one run end to end, over one or more traces';
comment on column flows.flow_id is 'the flow: trace id of the root that primary causes lead back to';
comment on column flows.pathway_id is 'the recurring shape it belongs to';
comment on column flows.entry_service is 'service of the root span';
comment on column flows.entry_name is 'name of the root span';
comment on column flows.started_at is 'first start, UTC';
comment on column flows.ended_at is 'last end, UTC';
comment on column flows.total_ms is 'first start to last end in milliseconds, whatever the root span says';
comment on column flows.wait_ms is
    'sum of the waits of its hops in milliseconds, branches that ran side by side each counted; NULL where none is known';
comment on column flows.work_ms is 'sum of the handling of its hops in milliseconds; NULL without hops';
comment on column flows.backoff_ms is
    'sum of planned delays between attempts in milliseconds; NULL where none is known';
comment on column flows.spans is 'spans, those shared with other flows left out';
comment on column flows.messages is 'messages sent';
comment on column flows.services is 'services in order of first appearance';
comment on column flows.topics is 'topics in order of first appearance';
comment on column flows.errors is 'spans that ended in error';
comment on column flows.dead_letters is 'messages sent to dead-letter topics';
comment on column flows.status is
    'error: a span failed; open: a group that reads a topic has not handled a message yet; else ok';
comment on column flows.complete is
    'false while a group has not handled a message of it, or its root is missing';
comment on column flows.orphan is 'the parent of its first span is not stored';
comment on column flows.traces is 'number of traces it runs over';
comment on column flows.converged_ms is
    'first start to last end over all branches in milliseconds, once it is complete; NULL before';
comment on column flows.replays is
    'replays of its messages: runs of their own that nothing else here counts; flow_runs has them';
comment on column flows.doubtful is
    'hops that begin before their message was sent, and spans that end before they start or lie far in the future: where it is not 0, clocks differ and totals and waits are in doubt';
