-- The lowest offset of each partition that a handler holds, as of its process's last report; replaced by the next.
create table held_rows (
    sampled_at timestamp not null,
    service varchar,
    instance varchar,
    server varchar,
    topic varchar,
    partition integer,
    consumer_group varchar,
    message_offset bigint,
    since timestamp
);
