-- Whether a time lies between two others, the first included; NULL is open.
create macro begins_between(seen_at, since, until) as
    seen_at >= coalesce(since::timestamp_ns, timestamp_ns '1677-09-22')
    and seen_at < coalesce(until::timestamp_ns, timestamp_ns '2262-04-11');
