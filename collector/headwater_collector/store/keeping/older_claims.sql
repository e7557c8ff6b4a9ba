-- The same of what arrived between two times.
insert into event_claims
select c.* from claim_rows c semi join asked_events a on a.event_id = c.event_id
where c.kind = 'event' and c.received_at >= make_timestamp_ns($since) and c.received_at <= make_timestamp_ns($until);
