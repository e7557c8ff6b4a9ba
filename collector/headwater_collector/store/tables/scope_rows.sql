-- Distinct instrumentation scopes; the id is a 64-bit hash of the content.
create table scope_rows (
    scope_id ubigint not null,
    first_seen timestamp_ns,
    name varchar,
    version varchar,
    attributes json
);
