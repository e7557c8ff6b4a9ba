-- The flows that begin between two times, the first included; NULL is open. The arguments bound the cost, filters on
-- the answer do not.
create macro flows_between(since, until) as table
with begun as materialized (
    select list(flow_id) as flows from flow_ids_begun(since, until)
), stretch as materialized (
    from stretch_of_flows((select flows from begun))
)
from flows_of(
    false, (select flows from begun), (select seen_since from stretch), (select seen_until from stretch),
    coalesce(since::timestamp_ns, timestamp_ns '1677-09-22')
)
where started_at >= coalesce(since::timestamp_ns, timestamp_ns '1677-09-22');

comment on macro table flows_between is
    'flows_between(since, until): the flows that begin between two times, the first included; NULL means open. Columns as in flows. The arguments bound the cost, filters on the answer do not';
