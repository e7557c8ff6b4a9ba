-- No touched coordinate is crowded.
create or replace temp view all_paired as from paired;
