-- The messages of those events that arrived between two times.
insert into event_messages by name
select m.* from message_rows m semi join asked_events a on a.event_id = m.event_id
where m.received_at >= make_timestamp_ns($since) and m.received_at <= make_timestamp_ns($until);
