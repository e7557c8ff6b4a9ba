-- Copies of a message are found by their event's id from here on; those that came before stay as they are.
alter table claim_rows add column event_id varchar;
create table ignored_events (
    received_at timestamp_ns not null, event_id varchar, topic varchar, messages bigint
);
