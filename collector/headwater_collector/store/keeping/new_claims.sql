-- What the batch's spans without a parent say of their cause; kind own: the record that such a span handles.
create or replace temp table new_claims as
with told as (
    from new_facts join new_words using (row) where parent_span_id is null
), said as (
    select *, 'cause' as kind, said[1] as written from told where said[1] is not null
    union all
    -- What is neither retry nor dead letter, and was sent while no record was handled, is a replay.
    select *,
        case when moved[2] is null and said[1] is null and coalesce(moved[6] != 'true', true) then 'replay'
            else 'origin' end,
        coalesce(moved[1], moved[2])
    from told where coalesce(moved[1], moved[2]) is not null
), parsed as (
    select *, regexp_extract(written, '^(.+):([0-9]+):([0-9]+)$', ['t', 'p', 'o']) as r
    from said
), links as (
    select
        s.received_at, 'link' as kind, s.trace_id, s.span_id, any_value(s.service) as service,
        any_value(s.started_at) as started_at,
        min({'span_id': l.linked_span_id, 'trace_id': l.linked_trace_id}) as first,
        count(distinct l.linked_trace_id) > 1 as shared
    from batch_links l
    join batch_roots s on s.trace_id = l.trace_id and s.span_id = l.span_id
    where l.linked_trace_id != s.trace_id
    group by s.received_at, s.trace_id, s.span_id
)
select
    received_at, kind, trace_id, span_id, service, started_at, r.t as topic, r.p::integer as partition,
    r.o::bigint as message_offset, null::varchar as cause_trace_id, null::varchar as cause_span_id,
    false as shared, null::varchar as event_id
from parsed
where r.t != ''
union all
select
    received_at, 'own', trace_id, span_id, service, started_at, topic, partition, message_offset,
    null, null, false, null
from new_facts
where role = 'process' and parent_span_id is null and topic is not null and partition is not null
    and message_offset is not null
union all
select
    received_at, kind, trace_id, span_id, service, started_at, null, null, null,
    first.trace_id, first.span_id, shared, null
from links
union all
-- Of a record whose send span is known, that one says which event it is.
select
    f.received_at, 'event', f.trace_id, f.span_id, f.service, f.started_at, f.topic, f.partition, f.message_offset,
    null, null, false, f.event_id
from new_facts f
where f.role in ('send', 'process') and f.parent_span_id is null and f.event_id is not null
    and f.topic is not null and f.partition is not null and f.message_offset is not null
    and (f.role = 'send' or not exists (
        from message_rows m
        where m.message_offset = f.message_offset and m.partition = f.partition and m.topic = f.topic
            and coalesce(m.cluster = f.cluster, true) and coalesce(m.incarnation = f.incarnation, true)
    ));
