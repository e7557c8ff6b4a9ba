-- Transactions are followed from here on: sends in them, how they end, and which groups read only what they committed.
create table transaction_rows (
    received_at timestamp_ns not null, trace_id varchar, span_id varchar, outcome varchar, ended_at timestamp_ns
);
create table transacted_rows (
    received_at timestamp_ns not null, trace_id varchar, span_id varchar, topic varchar, partition integer,
    message_offset bigint, dead_letter boolean, transaction_trace_id varchar, transaction_span_id varchar
);
alter table hop_rows add column reads_committed boolean;
alter table delivery_rows add column reads_committed boolean;
alter table range_rows add column reads_committed boolean;
