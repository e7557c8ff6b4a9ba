-- One message's way through one delivery, with the flow it happened in.
create view hops as
select
    coalesce(h.cluster, h.send_cluster, k.clusters[h.topic]) as cluster,
    h.topic, h.incarnation, h.partition, h.message_offset, h.consumer_group, h.attempt,
    coalesce(f.flow_id, h.owner_trace_id, h.trace_id) as flow_id,
    h.producer_service, h.consumer_service, h.send_trace_id, h.send_span_id, h.trace_id, h.span_id,
    h.sent_at, h.available_at, h.fetched_at as received_at, h.started_at, h.ended_at,
    h.send_ns / 1e6 as send_ms, case when h.reads_committed and h.attempt = coalesce(h.said_attempt, 1)
        then nullif(epoch_ns(h.available_at) - coalesce(h.backoff_ns, 0) - epoch_ns(h.sent_at) - h.send_ns, 0) / 1e6
    end as txn_wait_ms, h.wait_ns / 1e6 as wait_ms, h.wait_method,
    h.wait_bound_ns / 1e6 as wait_bound_ms, case when h.wait_method != 'overlap' and h.fetched_at is not null
        then least(epoch_ns(h.started_at) - epoch_ns(h.fetched_at), h.wait_ns) / 1e6 end as local_wait_ms,
    elapsed_ns(h.started_at, h.ended_at) / 1e6 as work_ms, h.backoff_ns / 1e6 as backoff_ms, (epoch_ns(h.ended_at) - epoch_ns(coalesce(h.sent_at, case when h.record_time is not null then h.record_at end)))
        / 1e6 as total_ms,
    h.started_at < h.sent_at - interval 1 millisecond as skewed, h.status, h.error_type
from hop_rows h
left join split_flows f on f.trace_id = coalesce(h.owner_trace_id, h.trace_id)
    and f.span_id = coalesce(h.owner_span_id, h.span_id)
cross join topic_knowledge k;

comment on view hops is
    'One row a delivered message: send, wait, work';
comment on column hops.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column hops.topic is 'Kafka topic';
comment on column hops.incarnation is 'life of the topic of this name, from 1';
comment on column hops.partition is 'partition';
comment on column hops.message_offset is 'offset';
comment on column hops.consumer_group is 'consumer group';
comment on column hops.attempt is 'number of the attempt, from 1';
comment on column hops.flow_id is 'the flow: trace id of the root that primary causes lead back to';
comment on column hops.producer_service is 'service that sent it; NULL while the send span is not known';
comment on column hops.consumer_service is 'service that handled it';
comment on column hops.send_trace_id is 'trace of the send span';
comment on column hops.send_span_id is 'the send span';
comment on column hops.trace_id is 'trace of the process span';
comment on column hops.span_id is 'the process span';
comment on column hops.sent_at is 'start of the send span, UTC';
comment on column hops.available_at is 'from when on the group could have had it, UTC';
comment on column hops.received_at is 'when the client had fetched it, UTC; NULL where no poll span tells';
comment on column hops.started_at is 'start of the handling, UTC';
comment on column hops.ended_at is 'end of the handling, UTC';
comment on column hops.send_ms is
    'start of sending to acknowledgement, the producer''s own batching included; milliseconds';
comment on column hops.txn_wait_ms is
    'acknowledgement to the end of its transaction in milliseconds, where the group reads only what is committed; NULL where there was nothing to wait for or it is not known';
comment on column hops.wait_ms is
    'available to start of handling in milliseconds, by wait_method; NULL where it cannot be known';
comment on column hops.wait_method is
    'acknowledged, committed, overlap, append_time, create_time, send_end, due or previous_attempt: what the wait is counted from';
comment on column hops.wait_bound_ms is
    'how far wait_ms can be wrong, in milliseconds; NULL where that is not known';
comment on column hops.local_wait_ms is 'part of the wait: fetched but not begun, in milliseconds';
comment on column hops.work_ms is 'start to end of handling in milliseconds';
comment on column hops.backoff_ms is
    'planned delay before this attempt: end of the one before to its due time, in milliseconds';
comment on column hops.total_ms is 'start of sending to end of handling in milliseconds';
comment on column hops.skewed is
    'handling starts before sending by more than 1 ms: the clocks of the two hosts differ';
comment on column hops.status is 'status of the process span';
comment on column hops.error_type is 'error.type, else the type of a recorded exception';
