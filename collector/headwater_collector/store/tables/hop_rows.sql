-- Kept: a delivery joined to the send of its message, one row a delivery. Replaced when either end changes.
-- Durations in nanoseconds, so that sums over them are exact and can be taken back.
create table hop_rows (
    received_at timestamp_ns not null,
    cluster varchar,
    topic varchar,
    incarnation integer,
    partition integer,
    message_offset bigint,
    consumer_group varchar,
    attempt integer,
    role varchar,
    owner_trace_id varchar,          -- the span whose flow it counts in: the handling one, or, in a batch over
    owner_span_id varchar,           -- several messages, the one that sent the message
    send_trace_id varchar,
    send_span_id varchar,
    producer_service varchar,
    trace_id varchar,
    span_id varchar,
    consumer_service varchar,
    sent_at timestamp_ns,
    available_at timestamp_ns,
    fetched_at timestamp_ns,         -- end of the poll that brought it
    started_at timestamp_ns,
    ended_at timestamp_ns,
    status varchar,
    error_type varchar,
    redelivered boolean,
    send_ns bigint,
    wait_ns bigint,
    local_wait_ns bigint,
    work_ns bigint,
    backoff_ns bigint,
    total_ns bigint,
    wait_method varchar,
    wait_bound_ns bigint,
    skewed boolean
);
