-- The batch's messaging spans, with what is known of their topics and what they say of the record they speak of. Lives
-- are weighed, which would cost as much as all the rest, only where a topic has several.
create or replace temp table new_facts as
with known as (
    select
        topic, count(*) as lives, any_value(cluster) as cluster, any_value(since) as since,
        any_value(incarnation) as incarnation,
        case when count(distinct cluster) = 1 then max(cluster) end as only_cluster,
        list({'cluster': cluster, 'incarnation': incarnation, 'since': since}) as all_lives
    from topic_lives
    group by topic
)
select
    b.* exclude (operation, kind) replace (coalesce(b.cluster, t.only_cluster) as cluster),
    case
        when b.topic is null then null
        when t.lives is null then 1
        when t.lives > 1 then incarnation_of(map {b.topic: t.all_lives}, b.cluster, b.topic, b.started_at)
        when t.since <= b.started_at and coalesce(t.cluster = b.cluster, true) then t.incarnation
        else 1
    end as incarnation,
    case
        when b.operation in ('process', 'deliver') then 'process'
        when b.operation in ('send', 'publish', 'create') then 'send'
        when b.operation is null and b.kind = 'consumer' then 'process'
        when b.operation is null and b.kind = 'producer' then 'send'
        else b.operation
    end as role,
    w.said[5] = 'true' as redelivered,
    try_cast(w.moved[4] as integer) as said_attempt,
    make_timestamp_ns(try_cast(w.moved[5] as bigint) * 1000000) as due_at,
    make_timestamp_ns(try_cast(w.said[2] as bigint) * 1000000) as record_at,
    case
        when coalesce(w.said[4] = 'true', false) then null
        when w.said[3] = '1' then 'append'
        when w.said[2] is not null then 'create'
    end as record_time,
    w.transactional
from batch_messaging b
left join new_words w on w.row = b.row
left join known t on t.topic = b.topic;
