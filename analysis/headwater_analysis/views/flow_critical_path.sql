-- The critical path of a flow, counted before the statement is run (critical_path/in_sql.py).
create macro flow_critical_path(of_flow) as table
from critical_path_rows where flow_id = of_flow;

comment on macro table flow_critical_path is
    'flow_critical_path(flow_id): the segments that the total of a flow of at most 10,000 spans is made of, one after another without gap or overlap, by run and place; run (0 the flow''s own, then its replays), run_kind (run, replay), place (from 1), kind (work, send, txn_wait, wait, local_wait, backoff, gap), started_at, ended_at, duration_ms, share of the run, service, operation, topic, consumer_group, partition, message_offset, attempt, trace_id, span_id, skewed. The flow id is a text or a parameter, at most five in a statement; it is counted by headwater, which a store file asked without it says';
