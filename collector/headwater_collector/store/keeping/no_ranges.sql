-- Nobody names ranges.
create or replace temp view new_deliveries as from named_deliveries;
