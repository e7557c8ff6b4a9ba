-- Of a flow whose own run has gone, the oldest replay is what it begins with from now on: else nothing would show it.
create or replace temp table first_runs as
with runs as (
    select p.flow_id, p.replay, min(p.started_at) as seen
    from flow_parts p
    semi join (from flow_parts where replay is not null) r on r.flow_id = p.flow_id
    where not p.shared
    group by p.flow_id, p.replay
)
select flow_id, min({'seen': seen, 'replay': replay}).replay as replay
from runs
group by flow_id
having bool_and(replay is not null);
update cause_rows c set kind = 'origin'
from fragments f, first_runs r
where c.kind = 'replay' and f.trace_id = c.trace_id and f.boundary = c.span_id
    and r.flow_id = f.flow_id and r.replay = f.boundary;
update fragments f set replay = null, kind = case when f.boundary = r.replay then 'origin' else f.kind end
from first_runs r where r.flow_id = f.flow_id and r.replay = f.replay;
update flow_parts p set replay = null from first_runs r where r.flow_id = p.flow_id and r.replay = p.replay;
