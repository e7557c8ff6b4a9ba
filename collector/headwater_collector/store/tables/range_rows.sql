-- Kept: offset ranges that batch and poll spans name; a range stands only for offsets known to hold a message.
create table range_rows (
    received_at timestamp_ns not null,
    role varchar,
    cluster varchar,
    topic varchar,
    first_offset bigint,
    last_offset bigint,
    partition integer,
    consumer_group varchar,
    trace_id varchar,
    span_id varchar,
    parent_span_id varchar,
    service varchar,
    started_at timestamp_ns,
    ended_at timestamp_ns,
    status varchar,
    error_type varchar,
    reads_committed boolean
);
