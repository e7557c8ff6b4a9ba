-- Traces that hold a crossing, now or before, and that this batch adds to or changes.
create or replace temp table touched_splits as
with changed as (
    (select trace_id, span_id, cause_trace_id, cause_span_id, shared from old_causes
        except select trace_id, span_id, cause_trace_id, cause_span_id, shared from new_causes)
    union
    (select trace_id, span_id, cause_trace_id, cause_span_id, shared from new_causes
        except select trace_id, span_id, cause_trace_id, cause_span_id, shared from old_causes)
), reached as (
    select trace_id from batch_spans
    union
    select coalesce(owner_trace_id, trace_id) from new_hops
    union
    select coalesce(owner_trace_id, trace_id) from old_hops
    union
    select trace_id from changed
    union
    select trace_id from ended_sends
)
select trace_id from changed where cause_trace_id != trace_id
union
select distinct f.trace_id from fragments f semi join reached r on r.trace_id = f.trace_id;
