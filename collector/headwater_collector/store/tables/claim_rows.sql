-- Kept: what spans without a parent say of their cause. kind: cause (the process span of that record), origin and
-- replay (the send span of that record), link (that span; shared where it links to several traces), own (the record
-- that it handles), event (the send span of the copy before; the record is the span's own).
create table claim_rows (
    received_at timestamp_ns not null,
    kind varchar,
    trace_id varchar,
    span_id varchar,
    service varchar,
    started_at timestamp_ns,
    topic varchar,
    partition integer,
    message_offset bigint,
    cause_trace_id varchar,
    cause_span_id varchar,
    shared boolean,
    event_id varchar
);
