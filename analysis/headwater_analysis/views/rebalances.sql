-- Rebalances of the last six hours.
create view rebalances as
from rebalances_since(ago(interval 6 hours));

comment on view rebalances is
    'One row a rebalance of a consumer group in the last six hours, the newest 200: from the poll that saw it settled last to the one that saw it settled again';
comment on column rebalances.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column rebalances.consumer_group is 'consumer group';
comment on column rebalances.started_at is 'last poll that saw the group as it was before, UTC';
comment on column rebalances.ended_at is 'first poll that saw it settled again, UTC';
comment on column rebalances.members_before is 'members before';
comment on column rebalances.members_after is 'members after';
comment on column rebalances.members_joined is 'member ids that are new';
comment on column rebalances.members_left is 'member ids that are gone';
comment on column rebalances.partitions_moved is 'partitions that another member has now, or none';
comment on column rebalances.assignment_before is 'member → its partitions before, as JSON';
comment on column rebalances.assignment_after is 'member → its partitions after, as JSON';
comment on column rebalances.silent_seconds is
    'from the last commit before to the first one after: how long nothing was read, to the poll; NULL where either is not known within ten minutes';
comment on column rebalances.lag_before is 'lag over all partitions before';
comment on column rebalances.lag_after is 'highest lag up to a minute after';
comment on column rebalances.handled_again is
    'messages begun before it and again after it, up to a minute later, as far as spans show';
comment on column rebalances.reported_by is 'instrumented consumers that report it; NULL: none does';
comment on column rebalances.longest_ms is 'longest that one of them took to join, in milliseconds';
comment on column rebalances.generation is
    'generation of the group after it, by those reports: aiokafka and kafka-python tell it; NULL: none does, since no poll can';
