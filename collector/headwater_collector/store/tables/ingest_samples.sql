-- Counters of the doors since the collector's start, and what waits to be stored.
create table ingest_samples (
    sampled_at timestamp not null,
    received_requests bigint,
    acknowledged_requests bigint,
    repeated_requests bigint,
    refused_requests bigint,
    stored_spans bigint,
    quarantined bigint,
    quarantine_reasons json,
    metrics_not_kept bigint,
    logs_not_kept bigint,
    log_bytes bigint,
    unstored_bytes bigint,
    oldest_unstored_seconds double,
    last_error varchar,
    started_at timestamp,
    version varchar
);
