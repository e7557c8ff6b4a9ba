-- Records inside offset ranges: new ranges over known messages, and known ranges over new messages.
create or replace temp table ranged_deliveries as
with pairs as (
    select r.*, m.message_offset, m.incarnation
    from new_ranges r
    join message_rows m on m.topic = r.topic and m.partition = r.partition
        and m.message_offset between r.first_offset and r.last_offset
    union
    select r.*, m.message_offset, m.incarnation
    from range_rows r
    join new_messages m on m.topic = r.topic and m.partition = r.partition
        and m.message_offset between r.first_offset and r.last_offset
)
select distinct p.* exclude (first_offset, last_offset)
from pairs p
where not exists (
    from (
        select trace_id, span_id, topic, partition, message_offset from delivery_rows
        union all
        select trace_id, span_id, topic, partition, message_offset from hop_rows
    ) d
    where d.trace_id = p.trace_id and d.span_id = p.span_id and d.topic = p.topic
        and d.partition = p.partition and d.message_offset = p.message_offset
) and not exists (
    from named_deliveries d
    where d.trace_id = p.trace_id and d.span_id = p.span_id and d.topic = p.topic
        and d.partition = p.partition and d.message_offset = p.message_offset
);
create or replace temp view new_deliveries as
from named_deliveries
union all by name
from ranged_deliveries;
insert into range_rows by name from new_ranges;
