-- Span links as received; (trace_id, span_id, position) names one.
create table link_rows (
    received_at timestamp_ns not null,
    trace_id varchar not null,
    span_id varchar not null,
    position usmallint,
    linked_trace_id varchar,
    linked_span_id varchar,
    trace_state varchar,
    flags uinteger,
    cluster varchar,
    topic varchar,
    partition integer,
    message_offset bigint,
    attributes json using compression zstd
);
