-- Flows by their ids; their parts are looked for once among all, to learn their times, and then between these.
create macro flows_named(of_flows) as table
with stretch as materialized (
    from stretch_of_flows(of_flows)
)
from flows_of(
    'named', of_flows::varchar[], (select seen_since from stretch), (select seen_until from stretch),
    (select seen_since from stretch)
);

comment on macro table flows_named is
    'flows_named([flow_id, …]): the totals of some flows; columns as in flows';
