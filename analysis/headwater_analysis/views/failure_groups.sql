-- Dead letters with one cause, added up.
create view failure_groups as
select * exclude (example), example.topic as example_topic, example.partition as example_partition,
    example.message_offset as example_offset
from (select
    failure_group_id,
    max(cluster) as cluster, max(origin_topic) as origin_topic, max(origin_group) as consumer_group,
    max(error_type) as error_type, max(normalised_error) as normalised_error,
    count(*) as messages,
    min(coalesce(record_time, received_at::timestamp_ns)) as first_seen,
    max(coalesce(record_time, received_at::timestamp_ns)) as last_seen,
    max(attempts) as attempts_max,
    coalesce(list(distinct origin_partition order by origin_partition)
        filter (origin_partition is not null), []) as partitions,
    list(distinct topic order by topic) as topics,
    max({'seen': coalesce(record_time, received_at::timestamp_ns), 'topic': topic, 'partition': partition,
        'message_offset': message_offset}) as example
from dead_letter_rows
group by failure_group_id);

comment on view failure_groups is
    'One row a cause of dead letters';
comment on column failure_groups.failure_group_id is
    'hash of origin topic, group, error class and normalised message or top stack frame';
comment on column failure_groups.cluster is 'Kafka cluster id; NULL where nothing tells';
comment on column failure_groups.origin_topic is 'topic of the messages given up';
comment on column failure_groups.consumer_group is 'group that gave them up';
comment on column failure_groups.error_type is 'class of the error';
comment on column failure_groups.normalised_error is
    'error message without numbers, ids and quoted text, or its hash';
comment on column failure_groups.messages is 'dead letters';
comment on column failure_groups.first_seen is 'time of the first record, UTC';
comment on column failure_groups.last_seen is 'time of the newest record, UTC';
comment on column failure_groups.attempts_max is 'most attempts made';
comment on column failure_groups.partitions is 'partitions of the origin topic';
comment on column failure_groups.topics is 'dead-letter topics they lie in';
comment on column failure_groups.example_topic is 'dead-letter topic of the newest one';
comment on column failure_groups.example_partition is 'partition of the newest one';
comment on column failure_groups.example_offset is 'offset of the newest one';
