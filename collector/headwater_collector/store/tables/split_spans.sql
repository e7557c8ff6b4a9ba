-- Kept: spans of traces that hold a crossing, with the crossing they descend from ('' for the trace's own root).
create table split_spans (
    received_at timestamp_ns not null,
    trace_id varchar,
    span_id varchar,
    boundary varchar
);
