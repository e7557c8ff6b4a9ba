-- Requests of the last minutes, so that a client that repeats one over a restart is recognised.
create table request_hashes (
    received_at timestamp_ns not null,
    hash varchar not null
);
