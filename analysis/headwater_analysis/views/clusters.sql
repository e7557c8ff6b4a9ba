-- The clusters that are watched.
create view clusters as
select cluster, name, bootstrap, state, reason, brokers, polled_at, poll_ms, share_groups from cluster_rows;

comment on view clusters is
    'One row a Kafka cluster that is watched';
comment on column clusters.cluster is 'cluster id; NULL until the cluster has told it';
comment on column clusters.name is 'name the configuration gives it';
comment on column clusters.bootstrap is 'addresses to start from';
comment on column clusters.state is 'up, degraded or down';
comment on column clusters.reason is 'why it is not up, or what else is to be known of its polls';
comment on column clusters.brokers is 'brokers it has';
comment on column clusters.polled_at is 'last poll, UTC';
comment on column clusters.poll_ms is 'how long that poll took, in milliseconds';
comment on column clusters.share_groups is
    'names of its share groups (KIP-932), whose lag cannot be asked for: at most 1,000; NULL while they are unknown';
