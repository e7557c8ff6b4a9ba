-- Nanoseconds from one time to another; NULL where the second comes first.
create macro elapsed_ns(since, until) as
    case when until >= since then epoch_ns(until) - epoch_ns(since) end;
