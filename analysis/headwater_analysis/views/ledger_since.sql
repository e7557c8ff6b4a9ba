-- The ledger of what was sent since a time.
create macro ledger_since(of_topic, of_group, seen_since) as table
from ledger_between(of_topic, of_group, seen_since, '2262-01-01'::timestamp_ns);

comment on macro table ledger_since is
    'ledger_since(topic, group, since): what ledger says, of the messages sent since then; topic and group may be NULL, which means all. The arguments bound the cost, filters on the answer do not';
