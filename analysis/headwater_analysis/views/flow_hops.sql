-- The hops whose handling happened in one flow.
create macro flow_hops(of_flow) as table
select h.*
from hops h
where h.trace_id in (select trace_id from flow_parts where flow_id = of_flow) and h.flow_id = of_flow;

comment on macro table flow_hops is
    'flow_hops(flow_id): the hops of one flow; columns as in hops';
