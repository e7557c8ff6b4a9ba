-- What stands beside a group's status: one partition behind the rest, a burst of messages, consumers that hold back.
create view queue_marks as
with lags as (
    select cluster, consumer_group, topic, sum(lag) as lag, max(lag) as most, median(lag) as middle,
        arg_max(partition, lag) as partition, count(lag) as partitions
    from lag
    group by all
), recent as (
    select cluster, topic, sampled_at, sum(end_offset) as ended, count(*) as partitions
    from offset_samples
    where sampled_at > (select max(sampled_at) from offset_samples) - interval 5 minutes
    group by all
), rates as (
    select cluster, topic, ended - lag(ended) over sampling as produced,
        epoch(sampled_at) - epoch(lag(sampled_at) over sampling) as took,
        row_number() over (partition by cluster, topic order by sampled_at desc) as back
    from recent
    window sampling as (partition by cluster, topic order by sampled_at)
    qualify partitions = lag(partitions) over sampling
), bursts as (
    select cluster, topic, min(produced / took) filter (back <= 3) as least,
        median(produced / took) filter (back > 3) as usual, sum(produced) filter (back <= 3) as produced
    from rates
    where took > 0
    group by all
    having count(*) filter (back <= 3) = 3 and count(*) filter (back > 3) >= 6 and least > 3 * usual and produced >= 10
), behind as (
    select cluster, consumer_group, topic, in_rate, out_rate
    from group_health
    where lag > 0 and in_rate > 1.05 * out_rate
), pauses as (
    select consumer_group, topic, count(*) as pauses
    from span_rows
    where operation = 'control' and (name = 'pause' or starts_with(name, 'pause '))
        and received_at >= ago(interval 5 minutes) and started_at >= ago(interval 5 minutes)
    group by all
), handled as (
    select h.topic, h.consumer_group, h.wait_ns / 1e6 as wait_ms, elapsed_ns(h.started_at, h.ended_at) / 1e6 as work_ms,
        h.started_at >= ago(interval 150 seconds) as late
    from hop_rows h
    semi join behind b on b.topic = h.topic and b.consumer_group = h.consumer_group
    where h.received_at >= ago(interval 5 minutes) and h.started_at >= ago(interval 5 minutes)
), trends as (
    select topic, consumer_group, median(wait_ms) filter (not late) as wait_before,
        median(wait_ms) filter (late) as wait_after, median(work_ms) filter (not late) as work_before,
        median(work_ms) filter (late) as work_after
    from handled
    group by all
    having least(count(*) filter (late), count(*) filter (not late)) >= 20
        and wait_after > 1.5 * wait_before and work_after < 1.2 * work_before
)
select cluster, consumer_group, topic, 'skewed' as mark, partition,
    format('partition {} holds {:.0f} % of the lag of {:,}', partition, 100 * most / lag, lag::bigint) as evidence
from lags
where partitions >= 2 and lag >= 10 and most > lag / 2 and most >= 5 * middle
union all
select g.cluster, g.consumer_group, g.topic, 'burst', null,
    format('{:.1f}/s were produced on three polls at least, usual are {:.1f}/s', b.least, b.usual)
from bursts b
join group_health g on g.cluster is not distinct from b.cluster and g.topic = b.topic
union all
select b.cluster, b.consumer_group, b.topic, 'backpressure', null, case
    when p.pauses > 0 then format('consumers paused {} times in five minutes, while {:.1f}/s came and {:.1f}/s went',
        p.pauses, b.in_rate, b.out_rate)
    else format('waits rose from {:.0f} to {:.0f} ms and work did not ({:.0f} to {:.0f} ms), while {:.1f}/s came and '
        || '{:.1f}/s went', t.wait_before, t.wait_after, t.work_before, t.work_after, b.in_rate, b.out_rate) end
from behind b
left join (select consumer_group, topic, sum(pauses) as pauses from pauses group by all) p
    on p.consumer_group = b.consumer_group and coalesce(p.topic, b.topic) = b.topic
left join trends t on t.topic = b.topic and t.consumer_group = b.consumer_group
where p.pauses > 0 or t.wait_after is not null;

comment on view queue_marks is
    'One row a mark beside the status of a consumer group on a topic: skewed, burst or backpressure';
comment on column queue_marks.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column queue_marks.consumer_group is 'consumer group';
comment on column queue_marks.topic is 'Kafka topic';
comment on column queue_marks.mark is
    'skewed: one partition has more than half of the lag and five times the median; burst: three polls above three times the usual rate; backpressure: more comes than goes, while consumers pause or waits rise and work does not';
comment on column queue_marks.partition is 'of skewed, the partition';
comment on column queue_marks.evidence is 'the numbers behind it';
