-- Span links.
create view span_links as
select
    trace_id, span_id, linked_trace_id, linked_span_id, cluster, topic, partition, message_offset, attributes,
    position, trace_state, flags, received_at
from link_rows;

comment on view span_links is
    'One row a link from a span to another span';
comment on column span_links.trace_id is 'trace of the span that holds the link';
comment on column span_links.span_id is 'span that holds the link';
comment on column span_links.linked_trace_id is 'trace it points to';
comment on column span_links.linked_span_id is 'span it points to';
comment on column span_links.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column span_links.topic is 'Kafka topic the link names';
comment on column span_links.partition is 'partition the link names';
comment on column span_links.message_offset is 'offset the link names';
comment on column span_links.attributes is 'attributes as a JSON object';
comment on column span_links.position is 'place among the links of its span, from 0';
comment on column span_links.trace_state is 'W3C tracestate as sent';
comment on column span_links.flags is 'W3C trace flags as sent';
comment on column span_links.received_at is 'when the collector received it, UTC';
