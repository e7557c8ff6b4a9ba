-- What Kafka itself says has moved: commits of a group on a topic, and, with no group, the topic's own growth.
-- The last half minute is left out: spans of it may still be on their way.
create macro kafka_activity(seen_since) as table
with commits as (
    select
        *, committed - lag(committed) over (
            partition by cluster, consumer_group, topic, incarnation, partition order by sampled_at) as step
    from commit_samples
    where sampled_at >= seen_since::timestamp and committed is not null
        and sampled_at <= (select max(sampled_at) from commit_samples) - interval 30 seconds
), ends as (
    select
        *, end_offset - lag(end_offset) over (
            partition by cluster, topic, incarnation, partition order by sampled_at) as step
    from offset_samples
    where sampled_at >= seen_since::timestamp and end_offset is not null
        and sampled_at <= (select max(sampled_at) from offset_samples) - interval 30 seconds
), members as (
    select
        cluster, consumer_group,
        list_sort(list_distinct(arg_max(json_extract_string(assignment, '$[*].client'), sampled_at))) as clients,
        list_sort(list_distinct(arg_max(json_extract_string(assignment, '$[*].host'), sampled_at))) as hosts
    from group_samples
    where sampled_at >= seen_since::timestamp and members > 0
    group by all
)
select
    c.cluster, c.topic, c.consumer_group, sum(c.step) filter (c.step > 0)::bigint as moved,
    count(distinct c.sampled_at) filter (c.step > 0) as polls, min(c.sampled_at) as first_at,
    max(c.sampled_at) as last_at, any_value(m.clients) as clients, any_value(m.hosts) as hosts
from commits c
left join members m on m.cluster is not distinct from c.cluster and m.consumer_group = c.consumer_group
group by c.cluster, c.topic, c.consumer_group
having moved > 0
union all
select
    cluster, topic, null, sum(step) filter (step > 0)::bigint as moved,
    count(distinct sampled_at) filter (step > 0), min(sampled_at), max(sampled_at), null, null
from ends
group by cluster, topic
having moved > 0;

comment on macro table kafka_activity is
    'kafka_activity(since): one row a consumer_group on a topic whose commits advanced since then, and one a topic (consumer_group NULL) whose end offsets grew: cluster, moved (offsets), polls that saw it move, first_at and last_at of the samples, clients and hosts of the group''s members';
