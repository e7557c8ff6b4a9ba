-- What was acknowledged and could not be stored as a span, with the reason.
create table quarantine_rows (
    received_at timestamp_ns not null,
    door varchar,
    reason varchar,
    detail varchar,
    bytes blob
);
