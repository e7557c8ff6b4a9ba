-- Kept from send spans that know where their record went: one row a send span.
create table message_rows (
    received_at timestamp_ns not null,
    cluster varchar,
    topic varchar,
    incarnation integer,
    partition integer,
    message_offset bigint,
    trace_id varchar,
    span_id varchar,
    service varchar,
    sent_at timestamp_ns,
    available_at timestamp_ns,
    status varchar,
    event_id varchar,
    key_hash varchar,
    size bigint,
    schema_id varchar,
    tombstone boolean,
    dead_letter boolean,
    origin varchar,      -- topic:partition:offset of the message it carries on (retry, dead letter, replay)
    origin_group varchar
);
