-- A quantile out of buckets of a DDSketch of 1 % (Masson, Rim, Lee 2019): bucket i holds seconds in (g^(i-1), g^i],
-- and its estimate is 2 g^i / (g + 1). Buckets of several sketches put into one list are merged by that.
create macro sketch_quantile_ms(latencies, of_measured, quantile) as (
    with buckets as (
        select l.bucket, sum(l.messages) as messages
        from (select unnest(latencies) as l)
        where l.measured = of_measured
        group by all
    ), ranked as (
        select bucket, sum(messages) over (order by bucket) as below, sum(messages) over () as total from buckets
    )
    select 2000 * pow(1.01 / 0.99, min(bucket)) / (1.01 / 0.99 + 1)
    from ranked
    where below > quantile * (total - 1)
);

comment on macro sketch_quantile_ms is
    'sketch_quantile_ms(latencies, measured, q): the quantile in milliseconds, at most 1 % off, of send, wait or work; sketches are merged by flatten(list(latencies))';
