-- The ledger of everything stored. For a screen or a script ask ledger_since, whose arguments bound the cost.
create view ledger as
from ledger_since(null, null, '1970-01-02'::timestamp_ns);

comment on view ledger is
    'One row a message and consumer group that reads its topic: what became of it. Judges all that is stored, whatever the filter; ledger_since(topic, group, since) judges no more than it is asked for';
comment on column ledger.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column ledger.topic is 'Kafka topic';
comment on column ledger.incarnation is 'life of the topic of this name, from 1';
comment on column ledger.partition is 'partition';
comment on column ledger.message_offset is 'offset';
comment on column ledger.consumer_group is 'consumer group that reads the topic';
comment on column ledger.state is
    'aborted, dead_lettered, retried, replayed, duplicate, done, failed, processing, expired, waiting, passed, unsettled or skipped: the first that applies; NULL where nothing can be concluded';
comment on column ledger.since is
    'since when the state holds, UTC; for what polls tell, the first poll that showed it; NULL where it is not known';
comment on column ledger.confidence is
    '1 where something seen proves the state; where it rests on what was not seen (failed, waiting, skipped), the share of neighbouring offsets that handlers were seen to have; NULL for passed, unsettled and unknown';
comment on column ledger.stuck is
    'waiting or processing longer than its pathway''s learned limit; NULL where no limit is learned';
comment on column ledger.no_successor is
    'handled, and the message that its handling nearly always leads to is overdue';
comment on column ledger.evidence is
    'JSON: says is a sentence, beside it the spans, messages and offsets that prove it';
comment on column ledger.sent_at is 'start of the send span, UTC; NULL while that is not known';
comment on column ledger.trace_id is 'trace of the send span';
comment on column ledger.span_id is 'the send span';
