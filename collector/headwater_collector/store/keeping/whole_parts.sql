-- Those parts, where the batch changes no hop.
insert into flow_parts by name
select *, trace_id as flow_id, '' as boundary, false as shared from whole_spans;
