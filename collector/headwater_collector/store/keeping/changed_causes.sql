-- Primary causes of touched spans, where it is not the parent: message of its own coordinates, then, for a span
-- without a parent, origin, attempt, cause, event, link.
create or replace temp table linkless as  -- batches that name their records by offsets alone
select distinct n.trace_id, n.span_id
from new_hops n
anti join (from claim_rows where kind = 'link') c on c.span_id = n.span_id and c.trace_id = n.trace_id
where n.role = 'batch' and n.parent_span_id is null;
create or replace temp table weighed_spans as
from touched_roots
union
from linkless
union
select trace_id, span_id from new_hops where role = 'process' and parent_span_id is not null;
create or replace temp table old_causes as
select c.* from cause_rows c semi join weighed_spans w on w.span_id = c.span_id and w.trace_id = c.trace_id;
create or replace temp table new_causes as
with copied as (
    -- From the copy before in the same lineage. Of a record whose send is not known, whoever handles it continues that.
    select c.*, m.trace_id as before_trace_id, m.span_id as before_span_id
    from touched_claims c
    join copies m on m.event_id = c.event_id and m.span_id != c.span_id
        and (m.sent_at < c.started_at or m.sent_at = c.started_at and m.span_id < c.span_id)
    left join (
        select trace_id, span_id, min(topic) as topic from touched_claims where kind in ('origin', 'replay')
        group by all
    ) o on o.trace_id = c.trace_id and o.span_id = c.span_id
    where c.kind = 'event' and m.line = origin_topic(coalesce(o.topic, c.topic))
        and (exists (from copies s where s.trace_id = c.trace_id and s.span_id = c.span_id) or exists (
            from new_hops h where h.trace_id = c.trace_id and h.span_id = c.span_id and h.send_span_id is null))
    qualify row_number() over (
        partition by c.trace_id, c.span_id order by m.sent_at desc, m.span_id desc, m.trace_id
    ) = 1
), candidates as (
    select 1 as rank, received_at, trace_id, span_id, 'message' as kind, send_trace_id as cause_trace_id,
        send_span_id as cause_span_id, false as shared, parent_span_id
    from new_hops
    where role = 'process' and send_span_id is not null
    union all
    select 1, min(h.received_at), h.trace_id, h.span_id, 'message',
        min({'span_id': h.send_span_id, 'trace_id': h.send_trace_id}).trace_id,
        min({'span_id': h.send_span_id, 'trace_id': h.send_trace_id}).span_id,
        count(distinct h.send_trace_id) > 1, null
    from hop_rows h
    semi join linkless l on l.span_id = h.span_id and l.trace_id = h.trace_id
    where h.send_span_id is not null
    group by h.trace_id, h.span_id
    union all
    select 3, c.received_at, c.trace_id, c.span_id, c.kind, m.trace_id, m.span_id, false, null
    from touched_claims c
    join touched_sends m on m.topic = c.topic and m.partition = c.partition
        and m.message_offset = c.message_offset
    where c.kind in ('origin', 'replay') and m.span_id != c.span_id
    union all
    select 4, received_at, trace_id, span_id, 'attempt', before_trace_id, before_span_id, false, null
    from new_hops
    where role = 'process' and before_span_id is not null and parent_span_id is null
    union all
    select 5, c.received_at, c.trace_id, c.span_id, 'cause', h.trace_id, h.span_id, false, null
    from touched_claims c
    join new_hops h on h.topic = c.topic and h.partition = c.partition
        and h.message_offset = c.message_offset and h.consumer_service is not distinct from c.service
        and h.started_at <= c.started_at
    where c.kind = 'cause' and h.span_id != c.span_id
    qualify row_number() over (
        partition by c.trace_id, c.span_id order by h.started_at desc, h.span_id
    ) = 1
    union all
    select 6, c.received_at, c.trace_id, c.span_id, 'event', c.before_trace_id, c.before_span_id, false, null
    from copied c
    where not exists (
        from touched_claims l where l.kind = 'link' and l.trace_id = c.trace_id and l.span_id = c.span_id
            and l.cause_trace_id = c.before_trace_id)
    union all
    select 7, received_at, trace_id, span_id, 'link', cause_trace_id, cause_span_id, shared, null
    from touched_claims
    where kind = 'link'
), primaries as (
    select *
    from candidates c
    semi join weighed_spans w on w.span_id = c.span_id and w.trace_id = c.trace_id
    qualify row_number() over (
        partition by trace_id, span_id order by rank, cause_span_id, cause_trace_id
    ) = 1
)
select * exclude (rank, parent_span_id)
from primaries
where cause_trace_id != trace_id or cause_span_id is distinct from parent_span_id;
