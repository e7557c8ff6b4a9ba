-- The flows that begin between two times, the first included; NULL is open. The arguments bound the cost, filters on
-- the answer do not.
create macro flows_between(since, until) as table
from flows_of(
    'begun', (select list(flow_id) from flow_ids_begun(since, until)), since, until,
    coalesce(since::timestamp_ns, timestamp_ns '1677-09-22')
);

comment on macro table flows_between is
    'flows_between(since, until): the flows that begin between two times, the first included; NULL means open. Columns as in flows. The arguments bound the cost, filters on the answer do not';
