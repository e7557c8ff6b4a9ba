-- The pathways of the flows that begin between two times, the first included; NULL is open.
create macro pathways_between(since, until) as table
with begun as materialized (
    select list(flow_id) as flows from flow_ids_begun(since, until)
), stretch as materialized (
    from stretch_of_flows((select flows from begun))
)
from pathways_of(
    false, (select flows from begun), coalesce(since::timestamp_ns, timestamp_ns '1677-09-22'),
    (select seen_since from stretch), (select seen_until from stretch)
);

comment on macro table pathways_between is
    'pathways_between(since, until): the pathways of the flows that begin between two times, the first included; NULL means open. Columns as in pathways, counted over those flows';
