-- The spans of one trace. Ids do not follow time, so looked up by its id alone a trace would be looked for in every
-- row group; what is kept of flows says between which times it lies, and is a small part of the spans. Without it
-- all times are searched. Spans that lack a time are asked for on their own: that costs nothing in a store which has
-- none of those, since its statistics say so.
create macro trace(of_trace) as table
with seen as materialized (
    select
        coalesce(min(started_at), timestamp_ns '1970-01-01') as since,
        coalesce(max(ended_at), timestamp_ns '2262-04-11') as until
    from flow_parts
    where trace_key = id_key(of_trace) and trace_id = of_trace
)
select s.*
from spans s
join seen on s.started_at >= seen.since and s.ended_at <= seen.until
where s.trace_id = of_trace
union all
select * from spans where trace_id = of_trace and (started_at is null or ended_at is null);

comment on macro table trace is
    'trace(trace_id): the spans of one trace; columns as in spans';
