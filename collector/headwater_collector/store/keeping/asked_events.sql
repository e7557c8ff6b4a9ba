-- Those of them that may stand on several messages, and what the batch says of these.
create or replace temp table asked_events as
select distinct event_id from named_events n semi join asked_hashes a on a.hash = n.hash;
create or replace temp table event_claims as
select c.* from new_claims c semi join asked_events a on a.event_id = c.event_id where c.kind = 'event';
create or replace temp table event_messages as
select m.* from new_messages m semi join asked_events a on a.event_id = m.event_id;
