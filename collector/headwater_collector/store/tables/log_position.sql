-- One row: everything in the append log before this place is in the store. Written with the rows it covers.
create table log_position (
    segment bigint not null,
    byte_offset bigint not null
);
