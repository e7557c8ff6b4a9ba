-- Spans with their resource and scope; cluster filled in where only one has the topic.
create view spans as
select
    s.trace_id, s.span_id, s.parent_span_id, s.service, s.name, s.kind, s.started_at, s.ended_at,
    (epoch_ns(s.ended_at) - epoch_ns(s.started_at)) / 1e6 as duration_ms,
    s.status, s.status_message, s.error_type, s.attributes, r.attributes as resource,
    c.name as scope, c.version as scope_version,
    coalesce(s.cluster, k.clusters[s.topic]) as cluster,
    s.topic, incarnation_of(k.lives, s.cluster, s.topic, s.started_at) as incarnation,
    s.partition, s.message_offset, s.consumer_group, s.operation, s.event_id,
    s.received_at, s.trace_state, s.flags, s.marks
from span_rows s
left join resource_rows r on r.resource_id = s.resource_id
left join scope_rows c on c.scope_id = s.scope_id
cross join topic_knowledge k;

comment on view spans is
    'One row a span';
comment on column spans.trace_id is 'trace id, 32 lower-case hex digits';
comment on column spans.span_id is 'span id, 16 lower-case hex digits';
comment on column spans.parent_span_id is 'span id of the parent; NULL for a root';
comment on column spans.service is 'service.name of the resource';
comment on column spans.name is 'span name';
comment on column spans.kind is 'internal, server, client, producer or consumer';
comment on column spans.started_at is 'start, UTC';
comment on column spans.ended_at is 'end, UTC';
comment on column spans.duration_ms is 'end minus start in milliseconds';
comment on column spans.status is 'unset, ok or error';
comment on column spans.status_message is 'what the span says about its status';
comment on column spans.error_type is 'error.type, else the type of a recorded exception';
comment on column spans.attributes is 'attributes as a JSON object';
comment on column spans.resource is 'resource attributes as a JSON object';
comment on column spans.scope is 'name of the instrumentation scope';
comment on column spans.scope_version is 'version of the instrumentation scope';
comment on column spans.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column spans.topic is 'Kafka topic';
comment on column spans.incarnation is 'life of the topic of this name, from 1';
comment on column spans.partition is 'partition';
comment on column spans.message_offset is 'offset';
comment on column spans.consumer_group is 'consumer group';
comment on column spans.operation is 'send, process, receive, settle, or control: a rebalance, seek, pause or resume';
comment on column spans.event_id is 'id of the event, the same over its retries, dead letters and replays';
comment on column spans.received_at is 'when the collector received it, UTC';
comment on column spans.trace_state is 'W3C tracestate as sent';
comment on column spans.flags is 'W3C trace flags as sent';
comment on column spans.marks is
    'what is odd about it: ends_before_start, far_future, far_past, repeated_id; NULL when nothing';
