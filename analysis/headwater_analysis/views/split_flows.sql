-- Which flow a span of a trace with a crossing belongs to. Spans that are not here belong to the flow of
-- their trace id.
create view split_flows as
select s.trace_id, s.span_id, s.boundary, f.flow_id, f.shared, f.replay
from split_spans s
join fragments f on f.trace_id = s.trace_id and f.boundary = s.boundary;
