-- Kept: what a batch of spans adds to a flow. Rows are added up by the question, never updated; a part of a
-- trace that turns out to continue another is replaced.
create table flow_parts (
    received_at timestamp_ns not null,
    flow_id varchar,
    trace_id varchar,
    boundary varchar,
    shared boolean,
    spans integer,
    working_spans integer,           -- without polls and commits, which start no flow
    errors integer,
    messages integer,
    dead_letters integer,
    started_at timestamp_ns,
    ended_at timestamp_ns,
    -- its first span without a parent, else its first span; NULL in a part without spans
    entry struct(has_parent boolean, seen timestamp_ns, span_id varchar, service varchar, name varchar),
    services struct(seen timestamp_ns, name varchar)[],
    topics struct(seen timestamp_ns, name varchar)[],
    hops integer,                    -- hops whose wait is known
    wait_ns bigint,
    work_ns bigint,
    backoff_ns bigint,
    replay varchar,                  -- as in fragments: a replay is a run of its own and counts in no total
    doubtful integer,                -- hops and spans whose own times contradict each other
    flow_key ubigint,                -- id_key of either id
    trace_key ubigint
);
