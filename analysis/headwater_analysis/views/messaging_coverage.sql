-- What Kafka spans say and what they leave out, by service, instrumentation, role, topic and group.
create macro messaging_coverage(seen_since) as table
with linked as (
    select distinct trace_id, span_id from link_rows
    where message_offset is not null and received_at >= seen_since::timestamp_ns
), parents as (
    select distinct parent_span_id from span_rows
    where parent_span_id is not null and received_at >= seen_since::timestamp_ns
), named as (
    select
        s.service, s.trace_id, s.span_id, s.kind, s.status, s.topic, s.partition, s.message_offset, s.consumer_group,
        s.dropped_attributes, s.dropped_links, epoch_ns(s.ended_at) - epoch_ns(s.started_at) as ns,
        c.name as scope, coalesce(s.cluster, k.clusters[s.topic]) as cluster,
        case
            when s.operation is null and s.kind = 'producer' then 'send'
            when s.operation is null and s.kind = 'consumer' then 'process'
            else s.operation
        end as role,
        json_extract_string(s.attributes, [
            '$."messaging.system"', '$."messaging.batch.message_count"', '$."headwater.offsets"', '$."server.address"',
            '$."server.port"', '$."messaging.system.name"'
        ]) as said,
        list_intersect(json_keys(s.attributes), [
            'messaging.destination', 'messaging.destination_kind', 'messaging.temp_destination',
            'messaging.operation', 'messaging.url', 'messaging.message_id', 'messaging.client_id',
            'messaging.kafka.partition', 'messaging.kafka.destination.partition',
            'messaging.kafka.message.offset', 'messaging.kafka.consumer.group', 'messaging.kafka.consumer_group',
            'messaging.kafka.client_id', 'messaging.kafka.message_key'
        ]) as old
    from span_rows s
    left join scope_rows c on c.scope_id = s.scope_id
    cross join topic_knowledge k
    where s.received_at >= seen_since::timestamp_ns
        and (s.topic is not null or s.operation is not null or s.kind in ('producer', 'consumer'))
), judged as (
    select
        n.*,
        message_offset is null and (said[2] is not null or said[3] is not null or l.span_id is not null) as many,
        not many and status != 'error' and role in ('send', 'process', 'receive') as placed,
        role = 'process' and ns < 100_000 and p.parent_span_id is null as brief
    from named n
    left join linked l on l.trace_id = n.trace_id and l.span_id = n.span_id
    left join parents p on p.parent_span_id = n.span_id
    where coalesce(said[1], said[6]) = 'kafka' or (coalesce(said[1], said[6]) is null and topic is not null and role is not null)
)
select
    service, scope, role, topic, consumer_group,
    count(*) as spans,
    max(trace_id) as trace_id,
    count(*) filter (many) as batches,
    count(*) filter (placed) as placed_spans,
    count(*) filter (placed and topic is null) as without_topic,
    count(*) filter (placed and partition is null) as without_partition,
    count(*) filter (placed and message_offset is null) as without_offset,
    count(*) filter (role in ('process', 'receive') and consumer_group is null) as without_group,
    count(*) filter (topic is not null and cluster is null) as without_cluster,
    max(trace_id) filter (placed and (topic is null or partition is null or message_offset is null))
        as misplaced_trace_id,
    count(*) filter (len(old) > 0) as with_old_names,
    list_sort(list_distinct(coalesce(flatten(list(old) filter (len(old) > 0)), []))) as old_names,
    max(trace_id) filter (len(old) > 0) as old_trace_id,
    quantile_cont(ns / 1e6, 0.95) as p95_ms,
    count(*) filter (brief) as brief_spans,
    sum(dropped_attributes)::bigint as dropped_attributes,
    sum(dropped_links)::bigint as dropped_links,
    max(trace_id) filter (dropped_attributes > 0 or dropped_links > 0) as dropped_trace_id,
    max(said[4]) as server_address,
    max(try_cast(said[5] as integer)) as server_port
from judged
group by all;

comment on macro table messaging_coverage is
    'messaging_coverage(since): one row a service, scope, role (send, process, receive, …), topic and consumer_group of the Kafka spans received since then: spans, how many lack what (without_topic, _partition, _offset among placed_spans: those of one message that did not fail; without_group, without_cluster), old_names of attributes, p95_ms, brief_spans (handled in less than 0.1 ms, no child), what senders dropped, and a trace id as example of each';
