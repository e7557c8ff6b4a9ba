-- A group on a topic as of the last poll, judged; replaced, never appended to.
create table group_health_now (
    cluster varchar,
    consumer_group varchar,
    topic varchar,
    status varchar,
    evidence varchar,
    since timestamp,
    lag bigint,
    lag_seconds double,
    lag_method varchar,
    lag_error_seconds double,
    partitions integer,
    worst_partition integer,
    state varchar,
    members integer,
    in_rate double,
    out_rate double,
    sampled_at timestamp
);
