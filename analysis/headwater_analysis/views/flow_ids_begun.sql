-- Flows with a part that begins between two times, the first included; NULL is open. A flow that begins in a stretch of
-- time is among them, and zone maps find them; an earlier part may show that one of them began before.
create macro flow_ids_begun(since, until) as table
select flow_id, min(started_at) as first_at
from flow_parts
where not shared and replay is null and begins_between(started_at, since, until)
group by flow_id;
