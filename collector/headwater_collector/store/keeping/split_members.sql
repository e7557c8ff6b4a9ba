-- The spans of touched splits, each with the crossing it descends from: down from crossings and roots along
-- causes inside the trace. Spans of a cycle are reached from nowhere and count as the trace's own.
create or replace temp table split_floor as
select coalesce(min(p.received_at), (select min(received_at) from batch_spans)) as since
from flow_parts p semi join touched_splits t on t.trace_id = p.trace_id;
create or replace temp table split_found as
select
    s.received_at, s.trace_id, s.span_id, s.service, s.name, s.topic, s.operation, s.kind, s.status,
    s.started_at, s.ended_at, s.parent_span_id, s.marks,
    coalesce(c.cause_trace_id != c.trace_id, false) as crosses,
    case when c.cause_trace_id = c.trace_id then c.cause_span_id else s.parent_span_id end as up_span_id
from span_rows s
semi join touched_splits t on t.trace_id = s.trace_id
left join (from cause_rows semi join touched_splits using (trace_id)) c
    on c.trace_id = s.trace_id and c.span_id = s.span_id
where s.received_at >= least((from split_floor), (select min(received_at) from batch_spans));
create or replace temp table split_members as
with recursive spans_once as (
    select trace_id, span_id, any_value(up_span_id) as up_span_id, bool_or(crosses) as crosses
    from split_found group by trace_id, span_id
), reached as (
    select trace_id, span_id, case when crosses then span_id else '' end as boundary
    from spans_once s
    where crosses or up_span_id is null or not exists (
        from spans_once u where u.trace_id = s.trace_id and u.span_id = s.up_span_id
    )
    union
    select s.trace_id, s.span_id, r.boundary
    from reached r
    join spans_once s on s.trace_id = r.trace_id and s.up_span_id = r.span_id and not s.crosses
)
select f.*, coalesce(r.boundary, '') as boundary
from split_found f
left join reached r on r.trace_id = f.trace_id and r.span_id = f.span_id;
