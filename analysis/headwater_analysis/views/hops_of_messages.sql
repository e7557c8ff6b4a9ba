-- Hops of messages sent in a stretch of time; where the send is not known, of deliveries that began in it. Each half asks
-- of one column: so row groups of other times are left out.
create macro hops_of_messages(seen_since, seen_until) as table
select * from hop_rows
where sent_at >= seen_since::timestamp_ns and sent_at < seen_until::timestamp_ns
union all
select * from hop_rows
where sent_at is null and started_at >= seen_since::timestamp_ns and started_at < seen_until::timestamp_ns;
