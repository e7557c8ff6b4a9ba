-- No touched coordinate had a hop before.
create or replace temp table old_hops as from hop_rows limit 0;
