-- Kept: how transactions of producers ended, one row a transaction's span. outcome: committed, aborted, or unknown where
-- ending it failed.
create table transaction_rows (
    received_at timestamp_ns not null,
    trace_id varchar,
    span_id varchar,
    outcome varchar,
    ended_at timestamp_ns
);
