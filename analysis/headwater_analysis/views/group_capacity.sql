-- What one consumer of a group can do, over the last five minutes. A group that keeps up goes as fast as its messages
-- come, whatever it could do: so it is measured only where each poll found more left than had just been taken; else
-- it follows from spans, how long handling takes and how much of it a member was seen to do at once. One that delays
-- what it retries leaves it behind on purpose, and is not measured.
create view group_capacity as
with recent as (
    select cluster, consumer_group, topic, sampled_at, sum(committed) as committed, sum(lag) as lag
    from commit_samples
    where sampled_at > (select max(sampled_at) from commit_samples) - interval 5 minutes and lag is not null
    group by all
), steps as (
    select cluster, consumer_group, topic, lag, committed - lag(committed) over sampling as went,
        epoch(sampled_at) - epoch(lag(sampled_at) over sampling) as took
    from recent
    window sampling as (partition by cluster, consumer_group, topic order by sampled_at)
), measured as (
    select cluster, consumer_group, topic, sum(went) / sum(took) as rate, count(*) as polls
    from steps
    where went >= 0 and took > 0 and lag > went and lag > 0
    group by all
    having polls >= 6 and rate > 0
), handled as (
    select h.topic, h.partition, h.consumer_group, h.consumer_service as service, epoch_ns(h.started_at) as begun,
        epoch_ns(h.ended_at) as done, h.backoff_ns
    from hop_rows h
    where h.received_at >= ago(interval 5 minutes) and h.started_at >= ago(interval 5 minutes)
        and h.ended_at > h.started_at and h.consumer_group is not null
    order by h.started_at desc
    limit 100000
), at_once as (
    select topic, consumer_group, member, sum(change) over (
        partition by topic, consumer_group, member order by moment, change
        rows between unbounded preceding and current row) as handlers
    from (
        select h.topic, h.consumer_group, coalesce(l.member, h.service) as member,
            unnest([h.begun, h.done]) as moment, unnest([1, -1]) as change
        from handled h
        left join lag l on l.topic = h.topic and l.partition = h.partition and l.consumer_group = h.consumer_group
    )
), spanned as (
    select topic, consumer_group, avg(done - begun) / 1e6 as work_ms, count(*) as deliveries,
        count(backoff_ns) > 0 as delays
    from handled
    group by all
    having deliveries >= 20
), busiest as (
    select topic, consumer_group, median(handlers) as handlers
    from (select topic, consumer_group, member, max(handlers) as handlers from at_once group by all)
    group by all
), holders as (
    select cluster, consumer_group, topic, count(distinct member) as consumers from lag group by all
)
select
    g.cluster, g.consumer_group, g.topic, g.members, o.consumers, g.partitions, g.in_rate, g.out_rate, s.work_ms, b.handlers,
    case when not coalesce(s.delays, false) then m.rate end as busy_rate,
    case when busy_rate is not null and o.consumers > 0 then 'measured' when s.work_ms is not null then 'spans' end
        as method,
    case method when 'measured' then busy_rate / o.consumers when 'spans' then 1000 * b.handlers / s.work_ms end
        as capacity
from group_health g
left join holders o on o.cluster is not distinct from g.cluster and o.consumer_group = g.consumer_group
    and o.topic = g.topic
left join measured m on m.cluster is not distinct from g.cluster and m.consumer_group = g.consumer_group
    and m.topic = g.topic
left join spanned s on s.topic = g.topic and s.consumer_group = g.consumer_group
left join busiest b on b.topic = g.topic and b.consumer_group = g.consumer_group;

comment on view group_capacity is
    'One row a consumer group on a topic: what one of its consumers can do, as far as anything tells';
comment on column group_capacity.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column group_capacity.consumer_group is 'consumer group';
comment on column group_capacity.topic is 'Kafka topic';
comment on column group_capacity.members is 'members of the group';
comment on column group_capacity.consumers is 'members that have partitions of this topic';
comment on column group_capacity.partitions is 'partitions judged';
comment on column group_capacity.in_rate is 'messages produced a second';
comment on column group_capacity.out_rate is 'messages committed a second';
comment on column group_capacity.work_ms is 'mean handling by its spans, in milliseconds; NULL below 20 deliveries';
comment on column group_capacity.handlers is 'most deliveries that a member was seen to handle at once; median of members';
comment on column group_capacity.busy_rate is
    'messages committed a second while each poll left more than had been taken; NULL: never so';
comment on column group_capacity.capacity is 'messages a second that one consumer can do; NULL: nothing tells';
comment on column group_capacity.method is 'measured: busy_rate by consumers; spans: handlers by work_ms';
