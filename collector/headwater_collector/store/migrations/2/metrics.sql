-- Metrics of messaging are kept from this version on.
create table metric_rows (
    sampled_at timestamp not null, counted_since timestamp, service varchar, instance varchar, metric varchar,
    unit varchar, delta boolean, operation varchar, topic varchar, partition integer, consumer_group varchar,
    error_type varchar, server varchar, value double, count bigint, sum double, bounds double[], buckets bigint[]
);
create table flow_count_rows (
    sampled_at timestamp not null, counted_since timestamp, service varchar, instance varchar, server varchar,
    direction varchar, topic varchar, partition integer, consumer_group varchar, prefix_id varchar, messages bigint,
    errors bigint, highest_offset bigint,
    latencies struct(measured varchar, bucket integer, messages bigint)[]
);
create table reporter_rows (
    sampled_at timestamp not null, before_at timestamp, service varchar, instance varchar
);
create table held_rows (
    sampled_at timestamp not null, service varchar, instance varchar, server varchar, topic varchar,
    partition integer, consumer_group varchar, message_offset bigint, since timestamp
);
