-- Who reports what its handlers hold, when last and when before: a report that holds nothing has no other trace.
create table reporter_rows (
    sampled_at timestamp not null,
    before_at timestamp,
    service varchar,
    instance varchar
);
