-- A partition as one group reads it, as one number: sorted and joined at a fraction of what its five columns cost.
create macro ledger_lane(cluster, topic, incarnation, partition, consumer_group) as
    hash(cluster, topic, incarnation::bigint, partition::bigint, consumer_group);
