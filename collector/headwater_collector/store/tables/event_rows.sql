-- Span events as received.
create table event_rows (
    received_at timestamp_ns not null,
    trace_id varchar not null,
    span_id varchar not null,
    position usmallint,
    occurred_at timestamp_ns,
    name varchar,
    attributes json using compression zstd
);
