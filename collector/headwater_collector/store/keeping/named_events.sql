-- The events that this batch's messages are of, and those of spans whose cause is weighed again (known).
create or replace temp table named_events as
with named as (
    select received_at, trace_id, span_id, event_id, false as known from new_messages where event_id is not null
    union
    select received_at, trace_id, span_id, event_id, false from new_claims where kind = 'event'
    union all
    select c.received_at, c.trace_id, c.span_id, c.event_id, true
    from claim_rows c
    semi join touched_roots r on r.span_id = c.span_id and r.trace_id = c.trace_id
    where c.kind = 'event'
)
select *, hash(event_id) as hash from named n anti join ignored_events i on i.event_id = n.event_id;
