-- Kept: what spans without a parent say of their cause, where it has to be looked for by coordinates.
-- kind: cause (the process span of that record), origin (the send span of that record), event (id).
create table claim_rows (
    received_at timestamp_ns not null,
    kind varchar,
    trace_id varchar,
    span_id varchar,
    service varchar,
    started_at timestamp_ns,
    topic varchar,
    partition integer,
    message_offset bigint
);
