-- One entry takes the place of root and head.
alter table flow_parts rename to flow_parts_1;
create table flow_parts as
select
    received_at, flow_id, trace_id, boundary, shared, spans, working_spans, errors, messages, dead_letters,
    started_at, ended_at,
    case
        when root is not null then {'has_parent': false, 'seen': root.seen, 'span_id': root.span_id,
            'service': root.service, 'name': root.name}
        when head is not null then {'has_parent': true, 'seen': head.seen, 'span_id': head.span_id,
            'service': head.service, 'name': head.name}
    end as entry,
    services, topics, hops, wait_ns, work_ns, backoff_ns
from flow_parts_1;
alter table flow_parts alter column received_at set not null;
drop table flow_parts_1;
