-- Dead letters joined to the flow they come from: by the coordinates of the message they carry on, else
-- their own coordinates, else the event id, else the trace of their headers.
create view dead_letters as
with sends as (
    select topic, partition, message_offset, max(cluster) as cluster,
        max_by({'trace_id': trace_id, 'span_id': span_id}, sent_at) as send
    from message_rows group by topic, partition, message_offset
), events as (
    select event_id, min_by({'trace_id': trace_id, 'span_id': span_id}, sent_at) as send
    from message_rows where event_id is not null group by event_id
), joined as (
    select d.*,
        coalesce(o.send, s.send, e.send, case when d.trace_id is not null then
            {'trace_id': d.trace_id, 'span_id': d.span_id} end) as send
    from dead_letter_rows d
    left join sends o on o.topic = d.origin_topic and o.partition = d.origin_partition
        and o.message_offset = d.origin_offset and coalesce(o.cluster = d.cluster, true)
    left join sends s on s.topic = d.topic and s.partition = d.partition
        and s.message_offset = d.message_offset and coalesce(s.cluster = d.cluster, true)
    left join events e on e.event_id = d.event_id
)
select
    d.cluster, d.topic, d.incarnation, d.partition, d.message_offset, d.record_time,
    d.origin_topic, d.origin_partition, d.origin_offset, d.origin_group, d.family,
    d.error_type, d.error_message, d.attempts, d.failure_group_id, d.normalised_error, d.event_id,
    d.send.trace_id as trace_id, coalesce(f.flow_id, d.send.trace_id) as flow_id,
    d.key, d.value, d.headers, d.size, 'new' as state, d.received_at
from joined d
left join split_flows f on f.trace_id = d.send.trace_id and f.span_id = d.send.span_id;

comment on view dead_letters is
    'One row a message in a dead-letter topic';
comment on column dead_letters.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column dead_letters.topic is 'dead-letter topic';
comment on column dead_letters.incarnation is 'life of the topic of this name, from 1';
comment on column dead_letters.partition is 'its partition there';
comment on column dead_letters.message_offset is 'its offset there';
comment on column dead_letters.record_time is 'time of the record, UTC';
comment on column dead_letters.origin_topic is 'topic of the message it carries on';
comment on column dead_letters.origin_partition is 'partition of the message it carries on';
comment on column dead_letters.origin_offset is 'offset of the message it carries on';
comment on column dead_letters.origin_group is 'consumer group that gave it up';
comment on column dead_letters.family is
    'convention its headers follow; NULL when only the topic name speaks';
comment on column dead_letters.error_type is 'class of the error';
comment on column dead_letters.error_message is 'error message; NULL unless its capture is on';
comment on column dead_letters.attempts is 'attempts made';
comment on column dead_letters.failure_group_id is 'dead letters with one cause have one id';
comment on column dead_letters.normalised_error is
    'error message without numbers, ids and quoted text, or its hash';
comment on column dead_letters.event_id is
    'id of the event, the same over its retries, dead letters and replays';
comment on column dead_letters.trace_id is 'trace it belongs to';
comment on column dead_letters.flow_id is 'flow it belongs to; NULL where nothing joins it';
comment on column dead_letters.key is 'key as text; NULL unless its capture is on';
comment on column dead_letters.value is 'value as text; NULL unless its capture is on';
comment on column dead_letters.headers is
    'headers as a JSON list of [name, text]; NULL unless their capture is on';
comment on column dead_letters.size is 'bytes of the value';
comment on column dead_letters.state is 'new';
comment on column dead_letters.received_at is 'when the collector read it, UTC';
