-- No trace with a crossing is touched.
create or replace temp table touched_splits as select trace_id from fragments limit 0;
