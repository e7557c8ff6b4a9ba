-- One row: every topic with its lives and, where only one cluster has it, that cluster. As a map, so that
-- views over many spans pay only when they show it.
create view topic_knowledge as
select
    map_from_entries(list({'k': topic, 'v': lives})) as lives,
    map_from_entries(list({'k': topic, 'v': only_cluster}) filter (only_cluster is not null)) as clusters
from (
    select
        topic,
        list({'cluster': cluster, 'incarnation': incarnation, 'since': since}) as lives,
        case when count(distinct cluster) = 1 then max(cluster) end as only_cluster
    from topic_lives
    group by topic
);
