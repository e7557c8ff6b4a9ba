-- Flows that are no longer stored, added up by their entry and the hour in which they began.
create table pathway_hours (
    hour timestamp not null,
    entry_service varchar,
    entry_name varchar,
    flows bigint,
    errors bigint,
    dead_letters bigint,
    total_p50_ms double,
    total_p95_ms double,
    wait_p95_ms double,
    work_p95_ms double
);
