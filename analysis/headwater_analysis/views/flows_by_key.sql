-- Flows that are asked for, each once, with the key by which their parts are looked up.
create macro flows_by_key(of_flows) as table
select flow_id, id_key(flow_id) as flow_key from (select distinct unnest(of_flows::varchar[]) as flow_id);
