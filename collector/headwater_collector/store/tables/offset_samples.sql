-- What Kafka said of a partition, poll by poll.
create table offset_samples (
    sampled_at timestamp not null,
    cluster varchar,
    topic varchar,
    incarnation integer,
    partition integer,
    log_start bigint,
    end_offset bigint,
    stable_offset bigint
);
