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
    false as shared
from parsed
where r.t != ''
union all
select
    received_at, 'own', trace_id, span_id, service, started_at, topic, partition, message_offset,
    null, null, false
from new_facts
where role = 'process' and parent_span_id is null and topic is not null and partition is not null
    and message_offset is not null
union all
select
    received_at, kind, trace_id, span_id, service, started_at, null, null, null,
    first.trace_id, first.span_id, shared
from links;
