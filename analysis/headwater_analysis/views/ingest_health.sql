-- The newest state of the doors.
create view ingest_health as
select
    sampled_at, received_requests, acknowledged_requests, repeated_requests, refused_requests, stored_spans,
    quarantined, quarantine_reasons, metrics_not_kept, logs_not_kept, log_bytes, unstored_bytes,
    oldest_unstored_seconds, last_error, started_at, version
from ingest_samples
order by sampled_at desc
limit 1;

comment on view ingest_health is
    'One row: what the doors counted since the collector started, and what waits to be stored';
comment on column ingest_health.sampled_at is 'when this was noted, UTC';
comment on column ingest_health.received_requests is 'OTLP requests that reached a door';
comment on column ingest_health.acknowledged_requests is 'requests made durable and acknowledged';
comment on column ingest_health.repeated_requests is 'requests recognised as repeated and not stored twice';
comment on column ingest_health.refused_requests is 'requests refused at the door';
comment on column ingest_health.stored_spans is 'spans stored';
comment on column ingest_health.quarantined is 'spans and requests that could not be stored';
comment on column ingest_health.quarantine_reasons is 'reason → count, as a JSON object';
comment on column ingest_health.metrics_not_kept is 'metric points accepted and not kept';
comment on column ingest_health.logs_not_kept is 'log records accepted and not kept';
comment on column ingest_health.log_bytes is 'bytes of the append log on disk';
comment on column ingest_health.unstored_bytes is 'bytes of the append log not yet in the store';
comment on column ingest_health.oldest_unstored_seconds is 'age of the oldest request not yet in the store';
comment on column ingest_health.last_error is 'the last thing that went wrong; NULL when nothing did';
comment on column ingest_health.started_at is 'when the collector started, UTC';
comment on column ingest_health.version is 'version of the collector';
