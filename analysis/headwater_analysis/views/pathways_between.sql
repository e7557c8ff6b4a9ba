-- The pathways of the flows that begin between two times, the first included; NULL is open.
create macro pathways_between(since, until) as table
from pathways_of(
    false, (select list(flow_id) from flow_ids_begun(since, until)),
    coalesce(since::timestamp_ns, timestamp_ns '1677-09-22')
);

comment on macro table pathways_between is
    'pathways_between(since, until): the pathways of the flows that begin between two times, the first included; NULL means open. Columns as in pathways, counted over those flows';
