-- Flows worth keeping outlive the usual limit from this version on, and aggregates outlive both.
create table kept_traces (received_at timestamp_ns not null, trace_id varchar, reason varchar);
create table pathway_hours (
    hour timestamp not null, entry_service varchar, entry_name varchar, flows bigint, errors bigint,
    dead_letters bigint, total_p50_ms double, total_p95_ms double, wait_p95_ms double, work_p95_ms double
);
