-- The flow of every fragment that the touched splits lead to, and the replay that it is part of.
update fragments f set flow_id = r.flow_id, replay = r.replay from flow_leaps r
where r.trace_id = f.trace_id and r.boundary = f.boundary
    and (f.flow_id is distinct from r.flow_id or f.replay is distinct from r.replay);
update flow_parts p set flow_id = r.flow_id, flow_key = id_key(r.flow_id), replay = r.replay from flow_leaps r
where r.trace_id = p.trace_id and r.boundary = p.boundary
    and (p.flow_id != r.flow_id or p.replay is distinct from r.replay)
    and p.trace_id not in (from touched_splits);
