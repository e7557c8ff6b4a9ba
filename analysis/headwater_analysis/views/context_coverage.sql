-- Whether the handling of messages continues the context of their sending, by topic, producer, consumer and group.
-- Judged once a message: continued if any of the spans that handle it is (of those that fetch it, if none does).
create macro context_coverage(seen_since) as table
with handled as (
    select received_at, role, cluster, topic, incarnation, partition, message_offset, consumer_group, trace_id,
        span_id, parent_span_id, consumer_service as service, started_at
    from hop_rows where received_at >= seen_since::timestamp_ns
    union all
    select received_at, role, cluster, topic, incarnation, partition, message_offset, consumer_group, trace_id,
        span_id, parent_span_id, service, started_at
    from delivery_rows where received_at >= seen_since::timestamp_ns
), links as (
    -- A sender may have been seen some time before its message was handled.
    select trace_id, span_id, linked_trace_id, linked_span_id from link_rows
    where linked_span_id is not null and received_at >= seen_since::timestamp_ns - interval 1 hour
), targets as (
    select span_id, list(linked_span_id) as spans from links group by span_id
), wanted as (
    select parent_span_id as span_id from handled where parent_span_id is not null
    union
    select l.linked_span_id from links l semi join handled h on h.span_id = l.span_id
), stored as (
    select s.span_id, any_value(s.service) as service
    from span_rows s semi join wanted w on w.span_id = s.span_id
    where s.received_at >= seen_since::timestamp_ns - interval 1 day
    group by s.span_id
), sent as (
    select
        h.*, m.service as producer, m.sent_at, m.trace_id as send_trace_id, m.span_id as send_span_id,
        coalesce(m.cluster = h.cluster, true) and coalesce(m.incarnation = h.incarnation, true) as fits
    from handled h
    join message_rows m on m.message_offset = h.message_offset and m.partition = h.partition and m.topic = h.topic
), met as (
    select
        h.*, m.producer, m.sent_at, m.send_trace_id,
        m.send_trace_id = h.trace_id
            or exists (from links l where l.trace_id = h.trace_id and l.linked_trace_id = m.send_trace_id)
            or exists (from links l where l.span_id = m.send_span_id and l.linked_trace_id = h.trace_id) as joined
    from handled h
    left join sent m
        on m.fits and m.trace_id = h.trace_id and m.span_id = h.span_id and m.topic = h.topic
        and m.partition = h.partition and m.message_offset = h.message_offset
), judged as (
    select
        d.*,
        case
            when joined then 0                                                       -- continued
            -- A span over many messages has room for so many links only.
            when producer is not null and role != 'process' and t.spans is not null then 1
            -- Handled well before it was sent: of another life of the topic, more likely.
            when d.started_at < d.sent_at - interval 1 second then 1
            when producer is not null then 2                                         -- lost
            when t.spans is null and d.parent_span_id is null then 3                 -- no context
            when t.spans is not null and exists (from links l join stored s on s.span_id = l.linked_span_id
                where l.span_id = d.span_id) then 0
            when t.spans is null and p.service != d.service then 0
            when t.spans is null and p.service = d.service then 1                    -- below a span of its own
            -- Its sender's spans may still be on their way; and a parent may be the service's own, still open.
            when d.received_at > (select max(received_at) from span_rows) - interval 30 seconds then 1
            when t.spans is null and coalesce(r.flags & 512, 0) = 0 then 1
            else 4                                                                   -- sender not stored
        end as verdict
    from met d
    left join targets t on t.span_id = d.span_id
    left join stored p on p.span_id = d.parent_span_id
    left join span_rows r on r.span_id = d.span_id and r.trace_id = d.trace_id
        and r.received_at >= seen_since::timestamp_ns
), per_message as (
    select
        service, consumer_group, topic, partition, message_offset, max(producer) as producer,
        coalesce(min(verdict) filter (role != 'receive'), min(verdict)) as verdict, max(trace_id) as trace_id,
        min((epoch_ns(sent_at) - epoch_ns(started_at)) / 1e6) filter (role = 'process' and joined) as early_ms
    from judged
    group by service, consumer_group, topic, partition, message_offset
)
select
    topic, producer as producer_service, service as consumer_service, consumer_group,
    count(*) as messages,
    count(*) filter (verdict = 0) as continued,
    count(*) filter (verdict = 1) as unclear,
    count(*) filter (verdict = 2) as lost,
    count(*) filter (verdict = 3) as without_context,
    count(*) filter (verdict = 4) as sender_not_stored,
    max({'partition': partition, 'message_offset': message_offset, 'trace_id': trace_id}) filter (verdict = 2) as lost_example,
    max({'partition': partition, 'message_offset': message_offset, 'trace_id': trace_id}) filter (verdict = 3) as without_example,
    max({'partition': partition, 'message_offset': message_offset, 'trace_id': trace_id}) filter (verdict = 4) as not_stored_example,
    count(*) filter (early_ms > 1) as skewed,
    max(early_ms) filter (early_ms > 1) as skew_ms,
    max({'partition': partition, 'message_offset': message_offset, 'trace_id': trace_id}) filter (early_ms > 1) as skew_example
from per_message
group by all;

comment on macro table context_coverage is
    'context_coverage(since): one row a topic, producer_service (NULL: no send span is stored), consumer_service and consumer_group of the messages whose handling was received since then: messages; continued: handled in the trace of their sending or linked to it; lost: neither, though the send span is stored; without_context: handled by spans without parent and link; sender_not_stored: parent or link lead to a span that never came; unclear: none of these is certain; skewed: continued, and handled before they were sent, by up to skew_ms; and an example of each';
