-- Kept from consumer spans: one row a record that a span names, by its own coordinates or by links.
-- role: process (own coordinates), batch (a process span's link or offset range), receive (a poll's link).
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
    span_id varchar,
    parent_span_id varchar,
    service varchar,
    started_at timestamp_ns,
    ended_at timestamp_ns,
    status varchar,
    error_type varchar,
    redelivered boolean,
    attempt integer,                 -- what the service says; NULL where only the order of deliveries tells
    due_at timestamp_ns,             -- when a delayed attempt was to begin
    record_at timestamp_ns,          -- the record's own time
    record_time varchar,             -- create or append; NULL where the time is not to be trusted
    linked_trace_id varchar,         -- the span its link names for these coordinates
    linked_span_id varchar
);
