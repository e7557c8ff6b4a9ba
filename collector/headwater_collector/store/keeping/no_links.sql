-- Neither links nor ranges name a record.
create or replace temp view new_deliveries as from named_deliveries;
