-- The hops whose handling happened in one flow.
create macro flow_hops(of_flow) as table
select h.*
from hops h
where h.flow_id = of_flow;

comment on macro table flow_hops is
    'flow_hops(flow_id): the hops of one flow; columns as in hops';
