-- What is long for a hop of a pathway: three times the 99.9th percentile of what was seen, and no verdict below 200
-- observations, where the percentile is little more than the one slowest.
create macro learned_limits_since(of_topic, of_group, heard_since) as table
with seen as (
    select
        pathway, topic, consumer_group,
        count(wait_ms) as wait_observations, quantile_cont(wait_ms, 0.999) as wait_p999_ms,
        count(work_ms) as work_observations, quantile_cont(work_ms, 0.999) as work_p999_ms,
        min(started_at) as first_seen, max(started_at) as last_seen
    from learned_hops(of_topic, of_group, heard_since)
    group by all
)
select
    left(md5(pathway), 16) as pathway_id, split_part(pathway, chr(31), 1) as entry_service,
    split_part(pathway, chr(31), 2) as entry_name, topic, consumer_group,
    wait_observations, wait_p999_ms, case when wait_observations >= 200 then 3 * wait_p999_ms end as wait_limit_ms,
    work_observations, work_p999_ms, case when work_observations >= 200 then 3 * work_p999_ms end as work_limit_ms,
    first_seen, last_seen
from seen;

comment on macro table learned_limits_since is
    'learned_limits_since(topic, group, since): what learned_limits says, of the deliveries received since then; topic and group may be NULL, which means all';
