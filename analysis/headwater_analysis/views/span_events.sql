-- Span events.
create view span_events as
select trace_id, span_id, occurred_at, name, attributes, position, received_at from event_rows;

comment on view span_events is
    'One row an event inside a span';
comment on column span_events.trace_id is 'trace id, 32 lower-case hex digits';
comment on column span_events.span_id is 'span id, 16 lower-case hex digits';
comment on column span_events.occurred_at is 'when it happened, UTC; NULL where the sender gave no time';
comment on column span_events.name is 'event name';
comment on column span_events.attributes is 'attributes as a JSON object';
comment on column span_events.position is 'place among the events of its span, from 0';
comment on column span_events.received_at is 'when the collector received it, UTC';
