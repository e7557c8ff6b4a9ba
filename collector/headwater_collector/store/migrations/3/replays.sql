-- A replay is a run of its own from here on; what an older one added to its flow's totals stays there.
alter table fragments add column replay varchar;
alter table flow_parts add column replay varchar;
