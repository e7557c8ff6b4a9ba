-- Which message carries which on, one row a step: from a message to its next retry, dead letter or replay. All that
-- name one origin (and one group, if they name it) are one line in order of sending.
create macro ledger_carriers(seen_since) as table
with copies as (
    select
        m.topic, m.partition, m.message_offset, m.origin, m.origin_group, m.dead_letter, m.service, m.trace_id,
        m.span_id, m.sent_at
    from message_rows m
    where m.origin is not null and m.sent_at >= seen_since::timestamp_ns
    union all
    select
        d.topic, d.partition, d.message_offset, concat_ws(':', d.origin_topic, d.origin_partition, d.origin_offset),
        d.origin_group, true, null, null, null, coalesce(d.record_time, d.received_at::timestamp_ns)
    from dead_letter_rows d
    where d.origin_offset is not null and d.received_at >= seen_since::timestamp
), known as (
    select
        topic, partition, message_offset, min(origin) as origin, max(origin_group) as origin_group,
        bool_or(dead_letter) as dead_letter, max(service) as service, max(trace_id) as trace_id,
        max(span_id) as span_id, min(sent_at) as sent_at
    from copies
    group by all
), unclear as (
    -- Neither a dead letter nor, by its topic, a retry: what its headers said tells. Few, so that this is a look-up.
    select c.topic, c.partition, c.message_offset, bool_or(contains(s.attributes, '"headwater.retry.')) as retried
    from known c
    join span_rows s on s.trace_id = c.trace_id and s.span_id = c.span_id
    where not c.dead_letter and not regexp_matches(c.topic, '(?i)(^|[._-])retry')
        and s.started_at >= seen_since::timestamp_ns
    group by all
), named as (
    select
        c.*, regexp_extract(c.origin, '^(.+):([0-9]+):([0-9]+)$', ['topic', 'partition', 'message_offset']) as start,
        case when c.dead_letter then 'dead_lettered' when coalesce(u.retried, true) then 'retried' else 'replayed' end
            as state
    from known c
    left join unclear u on u.topic = c.topic and u.partition = c.partition and u.message_offset = c.message_offset
), stepped as (
    select
        *, {'topic': start.topic, 'partition': start.partition::integer,
            'message_offset': start.message_offset::bigint} as first_one,
        lag({'topic': topic, 'partition': partition, 'message_offset': message_offset}) over (
            partition by origin, origin_group order by sent_at, topic, partition, message_offset) as before_it
    from named
    where start.topic != ''
)
select
    coalesce(before_it, first_one).topic as topic, coalesce(before_it, first_one).partition as partition,
    coalesce(before_it, first_one).message_offset as message_offset,
    -- Whoever reads a retry topic may go by another name than the group that gave the message up.
    case when before_it is null then origin_group end as consumer_group,
    service, state, sent_at, trace_id, span_id, concat(stepped.topic, '@', stepped.partition, ':', stepped.message_offset) as carrier
from stepped;
