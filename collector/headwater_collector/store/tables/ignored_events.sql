-- Kept: ids of events that stand on more messages of a topic than copies explain. They join nothing.
create table ignored_events (
    received_at timestamp_ns not null,
    event_id varchar,
    topic varchar,
    messages bigint
);
