-- Nothing that a span without a parent says of its cause is touched.
create or replace temp table touched_claims as from claim_rows limit 0;
create or replace temp table touched_roots as select trace_id, span_id from claim_rows limit 0;
