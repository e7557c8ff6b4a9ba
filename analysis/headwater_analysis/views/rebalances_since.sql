-- Rebalances of groups as polls show them: from one poll that saw a group settled to the next, if its members, what
-- they hold, or a poll between says that it was in change. At most the newest 200, so that what is looked at around
-- them (commits, lag, deliveries) stays bounded.
create macro rebalances_since(seen_since) as table
with polled as (
    select
        cluster, consumer_group, sampled_at, state, members, hash(assignment::varchar) as said,
        row_number() over (partition by cluster, consumer_group order by sampled_at) as place
    from group_samples
    where sampled_at >= seen_since::timestamp
), settled as (
    select
        cluster, consumer_group, lag(sampled_at) over one as started_at, sampled_at as ended_at,
        lag(members) over one as members_before, members as members_after, place - lag(place) over one - 1 as in_change
    from polled
    where state in ('stable', 'empty', 'dead')
    window one as (partition by cluster, consumer_group order by sampled_at)
    qualify started_at is not null and (in_change > 0 or said != lag(said) over one)
), newest as (
    select row_number() over (order by ended_at desc, consumer_group) as place, *
    from settled
    qualify place <= 400
), told as (
    select
        n.*, b.assignment as assignment_before, a.assignment as assignment_after,
        list_sort(from_json(b.assignment, '["json"]')::varchar[]) as held_before,
        list_sort(from_json(a.assignment, '["json"]')::varchar[]) as held_after,
        json_extract_string(b.assignment, '$[*].member') as ids_before,
        json_extract_string(a.assignment, '$[*].member') as ids_after
    from newest n
    join group_samples b on b.cluster is not distinct from n.cluster and b.consumer_group = n.consumer_group
        and b.sampled_at = n.started_at
    join group_samples a on a.cluster is not distinct from n.cluster and a.consumer_group = n.consumer_group
        and a.sampled_at = n.ended_at
), shown as (
    select * from told
    where in_change > 0 or held_before != held_after
    qualify row_number() over (order by place) <= 200
), owners as (
    select place, side, json_extract_string(one, '$.member') as member, unnest(from_json(one->'$.partitions', '["json"]'))
        ::varchar as held
    from (select place, 'before' as side, unnest(from_json(assignment_before, '["json"]')) as one from shown
        union all select place, 'after', unnest(from_json(assignment_after, '["json"]')) from shown)
), moved as (
    select place, count(*) as moved
    from (select place, held from owners group by place, held
        having max(member) filter (side = 'before') is distinct from max(member) filter (side = 'after'))
    group by place
), around as (
    select s.place, s.started_at, s.ended_at, c.sampled_at, sum(c.lag) as lag, sum(c.committed) as committed
    from commit_samples c
    join shown s on s.cluster is not distinct from c.cluster and s.consumer_group = c.consumer_group
        and c.sampled_at between s.started_at - interval 10 minutes and s.ended_at + interval 10 minutes
    group by all
), stepped as (
    select *, committed > lag(committed) over (partition by place order by sampled_at) as went from around
), read as (
    select
        place, arg_max(lag, sampled_at) filter (sampled_at <= started_at) as lag_before,
        max(lag) filter (sampled_at > started_at and sampled_at <= ended_at + interval 1 minute) as lag_after,
        epoch(min(sampled_at) filter (went and sampled_at > started_at))
            - epoch(max(sampled_at) filter (went and sampled_at <= started_at)) as silent_seconds
    from stepped
    group by place
), handled as (
    select s.place, count(*) as deliveries
    from hop_rows h
    join shown s on s.consumer_group = h.consumer_group
        and h.started_at::timestamp between s.started_at - interval 10 minutes and s.ended_at + interval 1 minute
    where h.started_at >= seen_since::timestamp_ns - interval 10 minutes
    group by s.place, h.topic, h.partition, h.message_offset
    having deliveries > 1 and min(h.started_at)::timestamp <= any_value(s.ended_at)
        and max(h.started_at)::timestamp > any_value(s.started_at)
), again as (
    select place, count(*) as messages from handled group by place
), reported as (
    select s.place, count(*) as consumers, max(elapsed_ns(r.started_at, r.ended_at)) / 1e6 as longest_ms,
        max(try_cast(r.attributes->>'$."headwater.rebalance.generation"' as integer)) as generation
    from span_rows r
    join shown s on s.consumer_group = r.consumer_group
        and r.ended_at::timestamp > s.started_at and r.started_at::timestamp <= s.ended_at
    where r.operation = 'control' and r.name = 'rebalance' and r.started_at >= seen_since::timestamp_ns
    group by s.place
)
select
    s.cluster, s.consumer_group, s.started_at, s.ended_at, s.members_before, s.members_after,
    list_filter(s.ids_after, lambda id: not list_contains(s.ids_before, id)) as members_joined,
    list_filter(s.ids_before, lambda id: not list_contains(s.ids_after, id)) as members_left,
    coalesce(m.moved, 0) as partitions_moved, s.assignment_before, s.assignment_after, r.silent_seconds,
    r.lag_before, r.lag_after, coalesce(a.messages, 0) as handled_again, p.consumers as reported_by, p.longest_ms,
    p.generation
from shown s
left join moved m using (place)
left join read r using (place)
left join again a using (place)
left join reported p using (place);

comment on macro table rebalances_since is
    'rebalances_since(since): what rebalances says, since then';
