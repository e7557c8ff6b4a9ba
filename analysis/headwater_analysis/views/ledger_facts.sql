-- The facts that states are judged by: the pairs of message and group, and for those that no handler was seen to
-- be done with, when the commit passed them, what retention took, how much of the neighbourhood was handled, and what counts.
create macro ledger_facts(of_topic, of_group, seen_since, seen_until) as table
with pairs as (
    from ledger_pairs(of_topic, of_group, seen_since, seen_until)
), moves as (
    from ledger_moves(of_topic, of_group, seen_since)
), edges as (
    from ledger_neighbours(of_topic, of_group, seen_since, seen_until)
), counters as (
    from ledger_counters(of_topic, of_group, seen_since)
), passed as (
    select u.*, m.first_at as passed_at
    from pairs u
    asof left join moves m
        on m.topic = u.topic and m.partition = u.partition and m.consumer_group = u.consumer_group
        and m.cluster is not distinct from u.cluster and m.incarnation = u.incarnation
        and m.committed > u.message_offset
    where coalesce(u.ended_well, 0) = 0
), taken as (
    select u.*, case when m.lost_to > u.message_offset then m.lost_at end as lost_at,
        case when m.lost_to > u.message_offset then m.lost_to end as lost_to
    from passed u
    asof left join (from moves where lost_to is not null) m
        on m.topic = u.topic and m.partition = u.partition and m.consumer_group = u.consumer_group
        and m.cluster is not distinct from u.cluster and m.incarnation = u.incarnation
        and m.committed <= u.message_offset
), counted as (
    select u.*, coalesce(c.last_offset >= u.message_offset, false) as counted,
        ledger_lane(u.cluster, u.topic, u.incarnation, u.partition, u.consumer_group) as lane
    from taken u
    asof left join counters c
        on c.topic = u.topic and c.partition = u.partition and c.consumer_group = u.consumer_group
        and c.first_offset <= u.message_offset
), before_it as (
    select u.*, e.before_count, e.before_span
    from counted u
    asof left join edges e on e.lane = u.lane and e.message_offset < u.message_offset
), after_it as (
    select u.* exclude (lane), e.after_count, e.after_span
    from before_it u
    asof left join edges e on e.lane = u.lane and e.message_offset > u.message_offset
)
from after_it
union all by name
from pairs
where ended_well > 0;
