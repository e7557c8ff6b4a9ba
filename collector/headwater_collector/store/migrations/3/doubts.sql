-- How much of a flow has times that contradict each other is counted from here on.
alter table flow_parts add column doubtful integer;
