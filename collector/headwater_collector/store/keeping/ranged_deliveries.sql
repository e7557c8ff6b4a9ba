-- Records inside offset ranges: new ranges over known messages, and known ranges over new messages.
insert into more_deliveries by name
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
anti join (
    select trace_id, span_id, topic, partition, message_offset from delivery_rows
    union all
    select trace_id, span_id, topic, partition, message_offset from hop_rows
    union all
    select trace_id, span_id, topic, partition, message_offset from new_deliveries
) d on d.trace_id = p.trace_id and d.span_id = p.span_id and d.topic = p.topic
    and d.partition = p.partition and d.message_offset = p.message_offset;
insert into range_rows by name from new_ranges;
