-- What remains of flows that are no longer stored.
create view pathway_history as
select
    left(md5(concat(entry_service, chr(31), entry_name)), 16) as pathway_id, hour, entry_service, entry_name,
    flows, errors, dead_letters, total_p50_ms, total_p95_ms, wait_p95_ms, work_p95_ms
from pathway_hours;

comment on view pathway_history is
    'One row a pathway and hour of flows that are no longer stored; an hour that went in parts has several';
comment on column pathway_history.pathway_id is 'as in pathways';
comment on column pathway_history.hour is 'hour in which the flows began, UTC';
comment on column pathway_history.entry_service is 'service of the root span';
comment on column pathway_history.entry_name is 'name of the root span';
comment on column pathway_history.flows is 'flows that went';
comment on column pathway_history.errors is 'of them, those with an error';
comment on column pathway_history.dead_letters is 'messages that they sent to dead-letter topics';
comment on column pathway_history.total_p50_ms is 'median of the total in milliseconds';
comment on column pathway_history.total_p95_ms is '95th percentile of the total in milliseconds';
comment on column pathway_history.wait_p95_ms is '95th percentile of the summed waits in milliseconds';
comment on column pathway_history.work_p95_ms is '95th percentile of the summed work in milliseconds';
