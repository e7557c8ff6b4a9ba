-- The flow of every fragment that the touched splits lead to: up along causes to a trace's own root. Of a cycle
-- the weakest edge (event, link, then by ids) is dropped. At most 500 hops.
create or replace temp table resolved_flows as
with recursive affected as (
    select trace_id, boundary from fragments where trace_id in (from touched_splits)
    union
    select f.trace_id, f.boundary from fragments f where f.cause_trace_id in (from touched_splits)
    union
    select f.trace_id, f.boundary
    from affected a
    join fragments f on f.cause_trace_id = a.trace_id and f.up_boundary = a.boundary
), walk as (
    select f.trace_id as of_trace, f.boundary as of_boundary, f.trace_id, f.cause_trace_id, f.up_boundary,
        [{'weakness': case f.kind when 'event' then 0 when 'link' then 1 else 2 end,
            'trace_id': f.trace_id, 'boundary': f.boundary, 'replays': coalesce(f.kind = 'replay', false)}] as path
    from fragments f
    join affected a on a.trace_id = f.trace_id and a.boundary = f.boundary
    union all
    select w.of_trace, w.of_boundary, u.trace_id, u.cause_trace_id, u.up_boundary,
        list_append(w.path, {'weakness': case u.kind when 'event' then 0 when 'link' then 1 else 2 end,
            'trace_id': u.trace_id, 'boundary': u.boundary, 'replays': coalesce(u.kind = 'replay', false)})
    from walk w
    join fragments u on u.trace_id = w.cause_trace_id and u.boundary = w.up_boundary
    where len(w.path) < 500
        and not list_contains([{'t': p.trace_id, 'b': p.boundary} for p in w.path],
            {'t': u.trace_id, 'b': u.boundary})
), ends as (
    select *,
        list_position([{'t': p.trace_id, 'b': p.boundary} for p in path],
            {'t': cause_trace_id, 'b': up_boundary}) as loop_at
    from walk
    qualify row_number() over (partition by of_trace, of_boundary order by len(path) desc) = 1
)
-- Of a cycle, the part whose edge is dropped is the root; a replay begins nowhere at or above it.
select trace_id, boundary, coalesce(root.trace_id, above) as flow_id,
    list_filter(path[:coalesce(list_position(path, root) - 1, len(path))], lambda p: p.replays)[1].boundary as replay
from (
    select of_trace as trace_id, of_boundary as boundary, path, coalesce(cause_trace_id, trace_id) as above,
        case when loop_at > 0 then list_min(path[loop_at:]) end as root
    from ends
);
update fragments f set flow_id = r.flow_id, replay = r.replay from resolved_flows r
where r.trace_id = f.trace_id and r.boundary = f.boundary;
update flow_parts p set flow_id = r.flow_id, replay = r.replay from resolved_flows r
where r.trace_id = p.trace_id and r.boundary = p.boundary
    and (p.flow_id != r.flow_id or p.replay is distinct from r.replay)
    and p.trace_id not in (from touched_splits);
