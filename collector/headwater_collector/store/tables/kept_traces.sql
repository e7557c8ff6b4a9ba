-- Traces that outlive the usual limit, because their flow had an error, a dead letter, or was slow for its entry.
create table kept_traces (
    received_at timestamp_ns not null,
    trace_id varchar,
    reason varchar
);
