-- Ids that stand on more messages of a topic than copies of one event explain.
create macro repeated_events(seen_since) as table
with repeated as (
    select
        topic, event_id, count(distinct (partition, message_offset)) as messages, max(service) as service,
        max({'partition': partition, 'message_offset': message_offset}) as example
    from message_rows
    where event_id is not null and received_at >= seen_since::timestamp_ns
    group by topic, event_id
    having count(*) > most_copies() and messages > most_copies()
)
select
    topic, count(*) as event_ids, sum(messages)::bigint as messages, max(service) as producer_service,
    max_by(event_id, messages) as event_id, max_by(example, messages) as example
from repeated
group by topic;

comment on macro table repeated_events is
    'repeated_events(since): one row a topic with event ids that stand on more than 20 of its messages received since then, which join nothing: event_ids (how many), messages that carry them, producer_service (one of them), event_id (on most), example (partition, message_offset)';
