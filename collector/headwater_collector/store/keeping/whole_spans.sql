-- What the batch adds to flows through traces that hold no crossing: such a trace belongs to one flow as a whole.
create or replace temp view whole_spans as
with by_service as (
    select
        b.trace_id, b.service, b.topic,
        min(b.received_at) as received_at, count(*) as spans,
        count(*) filter (coalesce(b.operation, '') not in ('receive', 'settle', 'control')) as working_spans,
        count(*) filter (b.status = 'error') as errors,
        count(*) filter (b.kind in ('producer', 'client') and b.status != 'error' and b.topic is not null
            and coalesce(b.operation, 'send') in ('send', 'publish')) as messages,
        min(b.started_at) as started_at, max(b.ended_at) as ended_at,
        min({'has_parent': b.parent_span_id is not null, 'seen': b.started_at, 'span_id': b.span_id,
            'service': b.service, 'name': b.name}) as entry
    from batch_spans b
    where b.trace_id not in (from touched_splits)
    group by b.trace_id, b.service, b.topic
)
select
    min(received_at) as received_at, trace_id,
    sum(spans) as spans, sum(working_spans) as working_spans, sum(errors) as errors,
    sum(messages) as messages, min(started_at) as started_at, max(ended_at) as ended_at,
    min(entry) as entry,
    list({'seen': started_at, 'name': service}) as services,
    list({'seen': started_at, 'name': topic}) filter (topic is not null) as topics
from by_service
group by trace_id;
