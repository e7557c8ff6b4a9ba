-- Kept: the primary cause of a span, where it is not its parent. One row a span, replaced when a stronger cause
-- shows. shared: a batch over messages of several traces, which belongs to none of their flows alone.
create table cause_rows (
    received_at timestamp_ns not null,
    trace_id varchar,
    span_id varchar,
    kind varchar,
    cause_trace_id varchar,
    cause_span_id varchar,
    shared boolean
);
