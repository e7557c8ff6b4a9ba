-- The spans of one trace. Literal ids are pushed into the scan.
create macro trace(of_trace) as table
select * from spans where trace_id = of_trace;

comment on macro table trace is
    'trace(trace_id): the spans of one trace; columns as in spans';
