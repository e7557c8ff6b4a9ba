-- How fast the lag of a partition goes, and when it will be gone. Over the last five minutes: the lower envelope of
-- the lag at most every 1/24 of them and at least from commit to commit, so that the sawtooth of batch commits counts
-- as none; the Theil-Sen slope of that; its 90 % interval from 100 block bootstraps (three steps a block), widened
-- for being few. The numbers that choose the blocks are hashes: the same samples give the same answer.
create view drain_forecast as
with behind as (
    select
        row_number() over (order by lag_seconds desc nulls last, lag desc, consumer_group, topic, partition) as place,
        cluster, consumer_group, topic, incarnation, partition, lag, lag_seconds, log_start, committed,
        sampled_at
    from lag
    where lag > 0 and committed is not null
    qualify place <= 500
), polled as (
    select
        b.place, c.sampled_at, c.committed, c.committed + c.lag as end_offset, b.sampled_at as last_at,
        c.committed - lag(c.committed) over sampling as step,
        c.committed + c.lag < lag(c.committed + c.lag) over sampling as cut
    from commit_samples c
    join behind b on c.cluster is not distinct from b.cluster and c.consumer_group = b.consumer_group
        and c.topic = b.topic and c.partition = b.partition and c.incarnation is not distinct from b.incarnation
    where c.sampled_at > b.sampled_at - interval 5 minutes and c.lag is not null
    window sampling as (partition by b.place order by c.sampled_at)
), gapped as (
    select
        *, epoch(sampled_at) - epoch(max(case when step != 0 then sampled_at end) over earlier) as gap,
        max(case when step < 0 or cut then sampled_at end) over (partition by place) as begun_again
    from polled
    window earlier as (partition by place order by sampled_at rows between unbounded preceding and 1 preceding)
), placed as (
    select
        *, floor((epoch(last_at) - epoch(sampled_at)) / greatest(
            max(case when step > 0 then gap end) over whole, (epoch(last_at) - epoch(min(sampled_at) over whole)) / 24,
            0.001)) as bucket
    from gapped
    where begun_again is null or sampled_at >= begun_again
    window whole as (partition by place)
), lowest as (
    select place, unnest(max_by(
        {'taken': epoch(sampled_at), 'committed': committed, 'ended': end_offset, 'net': committed - end_offset},
        {'net': committed - end_offset, 'taken': sampled_at}), max_depth := 2)
    from placed
    group by place, bucket
), pairs as (
    select
        place, median((b.ended - a.ended) / (b.taken - a.taken)) as in_rate,
        median((b.committed - a.committed) / (b.taken - a.taken)) as out_rate,
        median((b.net - a.net) / (b.taken - a.taken)) as drain_rate
    from lowest a
    join lowest b using (place)
    where b.taken > a.taken
    group by place
), steps as (
    select place, count(took) as steps, list(went order by taken) filter (took > 0) as went,
        list(took order by taken) filter (took > 0) as took
    from (
        select place, taken, net - lag(net) over one as went, taken - lag(taken) over one as took
        from lowest
        window one as (partition by place order by taken)
    )
    group by place
    having steps >= 6
), resampled as (
    select place, steps, went, took, list_transform(range(steps),
        lambda j: ((hash(draw * 1000 + j // 3) % steps::ubigint)::bigint + j % 3) % steps + 1) as chosen
    from steps, range(100) draws(draw)
), spread as (
    select
        place, 1.1 * sqrt(steps / (steps - 3)) as widened, quantile_cont(list_sum(list_transform(chosen,
            lambda i: went[i])) / list_sum(list_transform(chosen, lambda i: took[i])), [0.05, 0.5, 0.95]) as slopes
    from resampled
    group by place, steps
), trimmed as (
    select b.place, (max(o.log_start) - min(o.log_start))
        / (epoch(max(o.sampled_at)) - epoch(min(o.sampled_at))) as trim_rate
    from offset_samples o
    join behind b on b.cluster is not distinct from o.cluster and b.topic = o.topic and b.partition = o.partition
        and b.incarnation is not distinct from o.incarnation
    where o.sampled_at > b.sampled_at - interval 6 hours
    group by b.place having max(o.log_start) > min(o.log_start)
), configured as (
    select server as cluster, topic, arg_max(value, sampled_at) as kept_seconds
    from metric_rows
    where metric = 'kafka.topic.log_retention_period' and sampled_at > (select max(sampled_at) from lag) - interval 3 hours
    group by all having kept_seconds >= 0
)
select
    b.cluster, b.consumer_group, b.topic, b.partition, b.lag, p.in_rate, p.out_rate, p.drain_rate,
    p.drain_rate + (s.slopes[1] - s.slopes[2]) * s.widened as drain_rate_low,
    p.drain_rate + (s.slopes[3] - s.slopes[2]) * s.widened as drain_rate_high,
    case when drain_rate_low > 0 then b.lag / p.drain_rate end as drain_seconds,
    case when drain_rate_low > 0 then b.lag / drain_rate_high end as drain_seconds_low,
    case when drain_rate_low > 0 then b.lag / drain_rate_low end as drain_seconds_high,
    least(greatest(b.committed - b.log_start, 0) / trim_rate, case when kept_seconds > b.lag_seconds
        then kept_seconds - b.lag_seconds when kept_seconds <= b.lag_seconds then 0 end) as retention_seconds, b.sampled_at
from behind b
left join pairs p using (place)
left join spread s using (place)
left join trimmed t using (place)
left join configured c on c.cluster is not distinct from b.cluster and c.topic = b.topic;
