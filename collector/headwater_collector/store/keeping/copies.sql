-- What stands on more messages of a topic than copies explain is no event's id; spans that rested on it let go of it.
insert into ignored_events by name
with named as (
    select received_at, event_id, topic, partition, message_offset from event_messages
    union all
    select received_at, event_id, topic, partition, message_offset from event_claims
)
select max(received_at) as received_at, event_id, topic, count(distinct (partition, message_offset)) as messages
from named
group by event_id, topic
having messages > most_copies();
create or replace temp table copies as
select distinct
    m.trace_id, m.span_id, m.event_id, m.sent_at,
    origin_topic(coalesce(nullif(regexp_extract(m.origin, '^(.+):[0-9]+:[0-9]+$', 1), ''), m.topic)) as line
from event_messages m
semi join asked_events a on a.event_id = m.event_id
anti join ignored_events i on i.event_id = m.event_id;
insert into touched_roots
select distinct c.trace_id, c.span_id
from event_claims c
anti join touched_roots r on r.span_id = c.span_id and r.trace_id = c.trace_id;
