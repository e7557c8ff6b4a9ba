-- Kept: the parts of a trace that holds a crossing, what each continues, and the flow it ends up in.
create table fragments (
    received_at timestamp_ns not null,
    trace_id varchar,
    boundary varchar,
    kind varchar,
    cause_trace_id varchar,
    cause_span_id varchar,
    up_boundary varchar,             -- fragment of the cause span in its trace
    shared boolean,
    flow_id varchar,
    replay varchar                   -- span id with which the replay begins that it is part of; NULL in none
);
