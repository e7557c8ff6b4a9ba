-- Flows by their ids; their parts are looked for once among all, to learn their times, and then between these.
create macro flows_named(of_flows) as table
with seen as materialized (
    select min(p.started_at) as since, max(p.started_at) as until
    from flow_parts p
    semi join flows_by_key(of_flows) f on f.flow_key = p.flow_key and f.flow_id = p.flow_id
    where not p.shared and p.replay is null
)
from flows_of(
    false, of_flows::varchar[], (select since from seen), (select until from seen), (select since from seen)
);

comment on macro table flows_named is
    'flows_named([flow_id, …]): the totals of some flows; columns as in flows';
