-- Deliveries that began after one of a later message with the same key had begun. A retry counts at the place of the
-- message that it carries on, so that overtaking by way of a retry topic shows; places compare within one partition.
-- Judged by service, since the group that reads a retry topic often goes by another name.
create macro out_of_order_since(of_topic, of_group, seen_since) as table
with keyed as (
    select
        h.topic, coalesce(h.incarnation, 1) as incarnation, h.partition, h.message_offset, h.consumer_group,
        h.consumer_service as service, h.attempt, h.started_at, h.trace_id, h.span_id, m.key_hash,
        regexp_extract(coalesce(m.origin, concat_ws(':', h.topic, h.partition, h.message_offset)),
            '^(.+):([0-9]+):([0-9]+)$', ['topic', 'partition', 'message_offset']) as place
    from hop_rows h
    join message_rows m
        on m.trace_id = h.send_trace_id and m.span_id = h.send_span_id and m.topic = h.topic
        and m.partition = h.partition and m.message_offset = h.message_offset
    where m.key_hash is not null and h.started_at >= seen_since::timestamp_ns
        and m.sent_at >= seen_since::timestamp_ns - interval 1 day
), placed as (
    select *, place.message_offset::bigint as at_offset,
        max({'message_offset': place.message_offset::bigint, 'span_id': span_id, 'trace_id': trace_id}) over (
            partition by service, key_hash, place.topic, place.partition order by started_at, span_id
            rows between unbounded preceding and 1 preceding) as ahead
    from keyed
)
select
    topic, incarnation, partition, message_offset, consumer_group, service, attempt, key_hash, started_at, trace_id, span_id,
    place.topic as origin_topic, place.partition::integer as origin_partition, at_offset as origin_offset,
    ahead.message_offset as overtaken_by_offset, ahead.trace_id as overtaken_by_trace_id,
    ahead.span_id as overtaken_by_span_id
from placed
where ahead.message_offset > at_offset
    and (of_topic is null or topic = of_topic) and (of_group is null or consumer_group = of_group);

comment on macro table out_of_order_since is
    'out_of_order_since(topic, group, since): one row a delivery begun since then after one of a later message with the same key: where it is, where its message or the one that it carries on lay (origin), and the offset and process span that overtook it. Needs hashes of keys, which are off unless switched on; topic and group may be NULL, which means all';
