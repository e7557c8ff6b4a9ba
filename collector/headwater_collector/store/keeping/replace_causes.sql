-- The touched spans' causes as they are now.
delete from cause_rows c using old_causes o
where o.span_id = c.span_id and o.trace_id = c.trace_id;
