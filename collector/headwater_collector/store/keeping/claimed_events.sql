-- Only of these has any span no cause but the copy before: nothing is asked of the others' messages.
delete from asked_events a where not exists (from event_claims c where c.event_id = a.event_id);
