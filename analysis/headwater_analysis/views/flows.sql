-- Every flow. Those that begin between two times are found sooner by flows_between, and one by flow.
create view flows as from flows_of('every', null, null, null, null);

comment on view flows is
    'One row a flow: one run end to end, over one or more traces';
comment on column flows.flow_id is 'the flow: trace id of the root that primary causes lead back to';
comment on column flows.pathway_id is 'the recurring shape it belongs to';
comment on column flows.entry_service is 'service of the root span';
comment on column flows.entry_name is 'name of the root span';
comment on column flows.started_at is 'first start, UTC';
comment on column flows.ended_at is 'last end, UTC';
comment on column flows.total_ms is 'first start to last end in milliseconds, whatever the root span says';
comment on column flows.wait_ms is
    'sum of the waits of its hops in milliseconds, branches that ran side by side each counted; NULL where none is known';
comment on column flows.work_ms is 'sum of the handling of its hops in milliseconds; NULL without hops';
comment on column flows.backoff_ms is
    'sum of planned delays between attempts in milliseconds; NULL where none is known';
comment on column flows.spans is 'spans, those shared with other flows left out';
comment on column flows.messages is 'messages sent';
comment on column flows.services is 'services in order of first appearance';
comment on column flows.topics is 'topics in order of first appearance';
comment on column flows.errors is 'spans that ended in error';
comment on column flows.dead_letters is 'messages sent to dead-letter topics';
comment on column flows.status is
    'error: a span failed; open: a group that reads a topic has not handled a message yet; else ok';
comment on column flows.complete is
    'false while a group has not handled a message of it, or its root is missing';
comment on column flows.orphan is 'the parent of its first span is not stored';
comment on column flows.traces is 'number of traces it runs over';
comment on column flows.converged_ms is
    'first start to last end over all branches in milliseconds, once it is complete; NULL before';
comment on column flows.replays is
    'replays of its messages: runs of their own that nothing else here counts; flow_runs has them';
comment on column flows.doubtful is
    'hops that begin before their message was sent, and spans that end before they start or lie far in the future: where it is not 0, clocks differ and totals and waits are in doubt';
