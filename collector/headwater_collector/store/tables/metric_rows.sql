-- Metrics of messaging as received, one row a point: the conventions' counters and durations of any SDK, and what
-- the kafka receiver says beside offsets.
create table metric_rows (
    sampled_at timestamp not null,
    counted_since timestamp,
    service varchar,
    instance varchar,
    metric varchar,
    unit varchar,
    delta boolean,
    operation varchar,
    topic varchar,
    partition integer,
    consumer_group varchar,
    error_type varchar,
    server varchar,
    value double,
    count bigint,
    sum double,
    bounds double[],
    buckets bigint[]
);
