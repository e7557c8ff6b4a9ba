-- Keys that take more than their share of a topic; needs keyed hashes of keys (HEADWATER_KEY_SECRET).
create macro hot_keys_since(of_topic, sent_since) as table
with sent as (
    select m.topic, m.partition, m.key_hash
    from message_rows m
    where m.received_at >= sent_since::timestamp_ns and m.sent_at >= sent_since::timestamp_ns
        and (of_topic is null or m.topic = of_topic)
), counted as (
    select topic, count(*) as messages, count(distinct key_hash) as keys from sent group by all
)
select s.topic, s.key_hash, min(s.partition) as partition, count(*) as messages, count(*) / c.messages as share, c.keys
from sent s
join counted c using (topic)
where s.key_hash is not null
group by s.topic, s.key_hash, c.messages, c.keys
having count(*) >= 10 and count(*) / c.messages >= least(0.5, 3 / c.keys)
qualify row_number() over (partition by s.topic order by messages desc) <= 20;

comment on macro table hot_keys_since is
    'hot_keys_since(topic, since): keys with three times their share of the topic''s messages, or half of them: topic, key_hash, partition, messages, share, keys (how many the topic has); topic may be NULL, which means all';
