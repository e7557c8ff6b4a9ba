-- A point in time that compares with TIMESTAMP_NS columns: now() alone does not bind against them.
create macro ago(period) as make_timestamp_ns(epoch_ns(now() - period));

comment on macro ago is
    'ago(interval 1 hour): the time that long before now, in UTC, comparable with every started_at';
