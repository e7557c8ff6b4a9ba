-- Kept: what consumer spans name and what is no hop, one row a record. role: receive (a poll's link), process and
-- batch (a span around the one that counts). Deliveries that are hops are in hop_rows alone.
create table delivery_rows (
    received_at timestamp_ns not null,
    role varchar,
    cluster varchar,
    topic varchar,
    incarnation integer,
    partition integer,
    message_offset bigint,
    consumer_group varchar,
    trace_id varchar,
    span_id varchar using compression zstd,
    parent_span_id varchar using compression zstd,
    service varchar,
    started_at timestamp_ns,
    ended_at timestamp_ns,
    status varchar,
    error_type varchar,
    redelivered boolean,
    said_attempt integer,
    due_at timestamp_ns,
    record_at timestamp_ns,
    record_time varchar,
    reads_committed boolean
);
