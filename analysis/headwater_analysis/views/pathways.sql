-- All flows by their entry. Those of flows that begin between two times are found sooner by pathways_between.
create view pathways as from pathways_of('every', null, null);

comment on view pathways is
    'One row a recurring shape of flows, known by its entry';
comment on column pathways.pathway_id is
    'first 16 hex digits of md5(entry_service, unit separator, entry_name)';
comment on column pathways.entry_service is 'service of the root span';
comment on column pathways.entry_name is 'name of the root span';
comment on column pathways.path is 'services and topics of its longest flow, in order of first appearance';
comment on column pathways.flows is 'flows stored';
comment on column pathways.errors is 'flows with an error';
comment on column pathways.error_rate is 'errors by flows, 0 to 1';
comment on column pathways.dead_letters is 'messages sent to dead-letter topics';
comment on column pathways.total_p50_ms is 'median of the total in milliseconds';
comment on column pathways.total_p95_ms is '95th percentile of the total in milliseconds';
comment on column pathways.wait_p50_ms is 'median of the summed waits in milliseconds';
comment on column pathways.wait_p95_ms is '95th percentile of the summed waits in milliseconds';
comment on column pathways.work_p50_ms is 'median of the summed work in milliseconds';
comment on column pathways.work_p95_ms is '95th percentile of the summed work in milliseconds';
comment on column pathways.first_seen is 'start of its first flow, UTC';
comment on column pathways.last_seen is 'start of its newest flow, UTC';
