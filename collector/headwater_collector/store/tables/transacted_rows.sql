-- Kept: sends that say they are part of a transaction, one row for each span that may be the transaction's: the parent,
-- and what the send links to.
create table transacted_rows (
    received_at timestamp_ns not null,
    trace_id varchar,
    span_id varchar,
    topic varchar,
    partition integer,
    message_offset bigint,
    dead_letter boolean,
    transaction_trace_id varchar,
    transaction_span_id varchar
);
