-- Spans of a list of deliveries, as evidence names them.
create macro ledger_spans(spans) as
    [{'trace_id': s.trace_id, 'span_id': s.span_id, 'status': s.status, 'attempt': s.attempt} for s in list_sort(spans)];
