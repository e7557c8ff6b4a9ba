-- The store has none.
create or replace temp view touched_deliveries as from new_deliveries;
