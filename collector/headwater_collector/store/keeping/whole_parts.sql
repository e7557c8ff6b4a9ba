-- What the batch adds to flows through traces that hold no crossing: such a trace belongs to one flow as a whole.
-- Spans, hops and dead letters become rows of one shape and are added up at once: joined by trace, the lists of
-- services and topics would have to be carried through the join.
insert into flow_parts by name
with by_service as (
    select
        b.trace_id, b.service, b.topic,
        min(b.received_at) as received_at, count(*) as spans,
        count(*) filter (coalesce(b.operation, '') not in ('receive', 'settle', 'control')) as working_spans,
        count(*) filter (b.status = 'error') as errors,
        count(*) filter (b.kind in ('producer', 'client') and b.status != 'error' and b.topic is not null
            and coalesce(b.operation, 'send') in ('send', 'publish')) as messages,
        count(*) filter (list_has_any(b.marks, ['ends_before_start', 'far_future'])) as doubtful,
        min(b.started_at) as started_at, max(b.ended_at) as ended_at,
        min({'has_parent': b.parent_span_id is not null, 'seen': b.started_at, 'span_id': b.span_id,
            'service': b.service, 'name': b.name}) as entry
    from batch_spans b
    anti join touched_splits t on t.trace_id = b.trace_id
    group by b.trace_id, b.service, b.topic
), additions as (
    from by_service
    union all by name
    from changed_hops
)
select
    min(received_at) as received_at, trace_id, trace_id as flow_id, id_key(trace_id) as trace_key, trace_key as flow_key, '' as boundary, false as shared,
    sum(spans) as spans, sum(working_spans) as working_spans, sum(errors) as errors,
    sum(messages) as messages, min(started_at) as started_at, max(ended_at) as ended_at,
    min(entry) as entry,
    list({'seen': started_at, 'name': service}) filter (spans > 0) as services,
    list({'seen': started_at, 'name': topic}) filter (topic is not null) as topics,
    sum(hops) as hops, sum(dead_letters) as dead_letters, sum(doubtful) as doubtful,
    sum(wait_ns) as wait_ns, sum(work_ns) as work_ns, sum(backoff_ns) as backoff_ns
from additions
group by trace_id;
