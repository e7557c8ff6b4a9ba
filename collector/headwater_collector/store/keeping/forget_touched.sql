-- What was kept of the touched coordinates' deliveries, which what follows replaces.
delete from hop_rows h using touched t
where t.message_offset = h.message_offset and t.partition = h.partition and t.topic = h.topic;
delete from delivery_rows d using touched t
where t.message_offset = d.message_offset and t.partition = d.partition and t.topic = d.topic;
