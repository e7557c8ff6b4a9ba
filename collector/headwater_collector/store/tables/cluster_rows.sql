-- The Kafka clusters watched, as of the last poll; replaced, never appended to.
create table cluster_rows (
    cluster varchar,
    name varchar,
    bootstrap varchar,
    state varchar,
    reason varchar,
    brokers integer,
    polled_at timestamp,
    poll_ms double,
    share_groups varchar[]
);
