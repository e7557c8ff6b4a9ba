-- Successors as the ledger judges by them.
create view learned_successors as
from learned_successors_since(null, null, learning_since());

comment on view learned_successors is
    'One row a topic, group, service and other topic: how often handling a message there leads to a message on the other; learned over the last three days, of at most some hundred thousand deliveries';
comment on column learned_successors.topic is 'Kafka topic of the messages handled';
comment on column learned_successors.consumer_group is 'consumer group that handles them';
comment on column learned_successors.service is 'service that handles them';
comment on column learned_successors.successor_topic is 'topic that the handling sends to';
comment on column learned_successors.messages is 'messages handled without error';
comment on column learned_successors.led_on is 'those whose handling sent to that topic';
comment on column learned_successors.share is 'led_on by messages, 0 to 1';
comment on column learned_successors.p999_ms is
    'start of handling to that send, 99.9th percentile in milliseconds';
comment on column learned_successors.limit_ms is
    'three times that: a message without successor after it is no_successor; NULL below 200 messages or a share of 0.99';
