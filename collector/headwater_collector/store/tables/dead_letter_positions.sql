-- The next offset to read of each partition of a dead-letter topic; written with the rows before it.
create table dead_letter_positions (
    cluster varchar,
    topic varchar,
    partition integer,
    next_offset bigint
);
