-- Kept: a delivery joined to the send of its message, one row a delivery. Replaced when either end changes, from
-- what the delivery says, which is kept here too. Durations in nanoseconds, so that sums over them are exact and
-- can be taken back; those that two times of the row give are left to the questions.
create table hop_rows (
    received_at timestamp_ns not null,
    cluster varchar,                 -- as the delivery says it
    send_cluster varchar,            -- as the send says it
    topic varchar,
    incarnation integer,
    partition integer,
    message_offset bigint,
    consumer_group varchar,
    attempt integer,
    role varchar,
    owner_trace_id varchar,          -- in a batch over several messages, the span that sent the message, in whose
    owner_span_id varchar,           -- flow the hop counts; NULL: in that of the handling span
    send_trace_id varchar,
    send_span_id varchar using compression zstd,
    producer_service varchar,
    trace_id varchar,
    span_id varchar using compression zstd,
    parent_span_id varchar using compression zstd,
    consumer_service varchar,
    sent_at timestamp_ns,
    available_at timestamp_ns,
    fetched_at timestamp_ns,         -- end of the poll that brought it
    started_at timestamp_ns,
    ended_at timestamp_ns,
    status varchar,
    error_type varchar,
    redelivered boolean,
    said_attempt integer,            -- what the service says; NULL where only the order of deliveries tells
    due_at timestamp_ns,             -- when a delayed attempt was to begin
    record_at timestamp_ns,          -- the record's own time
    record_time varchar,             -- create or append; NULL where the time is not to be trusted
    send_ns bigint,
    wait_ns bigint,
    backoff_ns bigint,
    wait_method varchar,
    wait_bound_ns bigint,
    reads_committed boolean          -- whether the group reads only what transactions committed; NULL: nothing tells
);
