-- Parts of flows are looked up by numbers.
alter table flow_parts add column flow_key ubigint;
alter table flow_parts add column trace_key ubigint;
update flow_parts set
    flow_key = coalesce(try_cast(concat('0x', right(flow_id, 16)) as ubigint), 0::ubigint),
    trace_key = coalesce(try_cast(concat('0x', right(trace_id, 16)) as ubigint), 0::ubigint);
