-- Of whoever asks the file itself nobody has counted a path: no rows would mean that there is none.
create view critical_path_rows as
select
    flow_id, null::integer as run, null::varchar as run_kind, null::integer as place, null::varchar as kind,
    null::timestamp_ns as started_at, null::timestamp_ns as ended_at, null::double as duration_ms, null::double as share,
    null::varchar as service, null::varchar as operation, null::varchar as topic, null::varchar as consumer_group,
    null::integer as partition, null::bigint as message_offset, null::integer as attempt, null::varchar as trace_id,
    null::varchar as span_id, null::boolean as skewed
from flow_parts
where error(concat('Critical paths are counted by headwater only; ask for ', flow_id, ' with `headwater sql`.')) is null;
