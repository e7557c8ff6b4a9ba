-- What Kafka said of a group on a partition, poll by poll.
create table commit_samples (
    sampled_at timestamp not null,
    cluster varchar,
    consumer_group varchar,
    topic varchar,
    incarnation integer,
    partition integer,
    committed bigint,
    lag bigint,
    lag_seconds double,
    lag_method varchar
);
