-- What the touched splits add to flows, counted anew for each fragment.
delete from flow_parts where trace_id in (from touched_splits);
insert into flow_parts by name
with by_service as (
    select
        m.trace_id, m.boundary, m.service, m.topic, min(m.received_at) as received_at, count(*) as spans,
        count(*) filter (coalesce(m.operation, '') not in ('receive', 'settle', 'control')) as working_spans,
        count(*) filter (m.status = 'error') as errors,
        count(*) filter (m.kind in ('producer', 'client') and m.status != 'error' and m.topic is not null
            and coalesce(m.operation, 'send') in ('send', 'publish')) as messages,
        count(*) filter (list_has_any(m.marks, ['ends_before_start', 'far_future'])) as doubtful,
        min(m.started_at) as started_at, max(m.ended_at) as ended_at,
        min({'has_parent': m.parent_span_id is not null, 'seen': m.started_at, 'span_id': m.span_id,
            'service': m.service, 'name': m.name}) as entry
    from split_members m
    group by m.trace_id, m.boundary, m.service, m.topic
), spans as (
    select
        trace_id, boundary, min(received_at) as received_at,
        sum(spans) as spans, sum(working_spans) as working_spans, sum(errors) as errors,
        sum(messages) as messages, sum(doubtful) as doubtful, min(started_at) as started_at, max(ended_at) as ended_at,
        min(entry) as entry,
        list({'seen': started_at, 'name': service}) as services,
        list({'seen': started_at, 'name': topic}) filter (topic is not null) as topics
    from by_service
    group by trace_id, boundary
), hops as (
    select s.trace_id, s.boundary, count(h.wait_ns) as hops, sum(h.wait_ns) as wait_ns,
        sum(elapsed_ns(h.started_at, h.ended_at)) as work_ns, sum(h.backoff_ns) as backoff_ns,
        count(*) filter (h.started_at < h.sent_at - interval 1 millisecond) as doubtful
    from hop_rows h
    semi join touched_splits t on t.trace_id = coalesce(h.owner_trace_id, h.trace_id)
    join split_spans s on s.trace_id = coalesce(h.owner_trace_id, h.trace_id)
        and s.span_id = coalesce(h.owner_span_id, h.span_id)
    group by s.trace_id, s.boundary
), aborted as (
    select x.trace_id, x.span_id, bool_or(x.dead_letter) as dead_letter
    from transacted_rows x
    semi join touched_splits t on t.trace_id = x.trace_id
    join transaction_rows e on e.trace_id = x.transaction_trace_id and e.span_id = x.transaction_span_id
    where e.outcome = 'aborted'
    group by x.trace_id, x.span_id
), taken_back as (
    select s.trace_id, s.boundary, count(*) as messages, count(*) filter (a.dead_letter) as dead_letters
    from aborted a
    join split_spans s on s.trace_id = a.trace_id and s.span_id = a.span_id
    group by s.trace_id, s.boundary
), letters as (
    select s.trace_id, s.boundary, count(*) as dead_letters
    from message_rows m
    semi join touched_splits t on t.trace_id = m.trace_id
    join split_spans s on s.trace_id = m.trace_id and s.span_id = m.span_id
    where m.dead_letter
    group by s.trace_id, s.boundary
)
select s.* replace (
        s.messages - coalesce(b.messages, 0) as messages, s.doubtful + coalesce(h.doubtful, 0) as doubtful
    ), f.flow_id, f.shared, f.replay, id_key(s.trace_id) as trace_key, id_key(f.flow_id) as flow_key,
    coalesce(h.hops, 0) as hops, h.wait_ns, h.work_ns, h.backoff_ns,
    coalesce(l.dead_letters, 0) - coalesce(b.dead_letters, 0) as dead_letters
from spans s
join fragments f on f.trace_id = s.trace_id and f.boundary = s.boundary
left join hops h on h.trace_id = s.trace_id and h.boundary = s.boundary
left join taken_back b on b.trace_id = s.trace_id and b.boundary = s.boundary
left join letters l on l.trace_id = s.trace_id and l.boundary = s.boundary;
