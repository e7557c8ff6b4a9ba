-- Distinct resources; the id is a 64-bit hash of the content, so that any collector gives the same one.
create table resource_rows (
    resource_id ubigint not null,
    first_seen timestamp_ns,
    service varchar,
    attributes json,
    schema_url varchar
);
