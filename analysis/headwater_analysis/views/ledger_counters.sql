-- Stretches of a partition all of whose offsets were handed to a group by the count of its consumers, sampled or not:
-- between two exports of a process, as many messages as offsets.
create macro ledger_counters(of_topic, of_group, seen_since) as table
with exports as (
    select service, instance, topic, partition, consumer_group, counted_since, sampled_at,
        sum(messages) as messages, max(highest_offset) as highest
    from flow_count_rows
    where direction = 'in' and sampled_at >= seen_since::timestamp - interval 10 minutes and consumer_group is not null
        and (of_topic is null or topic = of_topic) and (of_group is null or consumer_group = of_group)
    group by all
), steps as (
    select topic, partition, consumer_group, highest,
        lag(highest) over exporting as before_it, messages - lag(messages) over exporting as counted
    from exports
    window exporting as (
        partition by service, instance, topic, partition, consumer_group, counted_since order by sampled_at)
)
select topic, partition, consumer_group, before_it + 1 as first_offset, highest as last_offset
from steps
where highest > before_it and counted >= highest - before_it;
