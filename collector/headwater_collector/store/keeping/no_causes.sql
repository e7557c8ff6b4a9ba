-- No touched span has a cause other than its parent.
create or replace temp table old_causes as from cause_rows limit 0;
create or replace temp table new_causes as from cause_rows limit 0;
