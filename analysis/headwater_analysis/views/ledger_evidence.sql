-- What proves a state, as JSON: says is a sentence; beside it the spans, messages and offsets that it rests on.
create macro ledger_evidence(
    state, abort, carrier, copies, spans, held_since, lost_at, lost_to, committed, log_start, message_offset,
    counted, neighbours, share, judged_at, elapsed_ms, limit_ms, missing, available_at
) as json_merge_patch(
    case
        when state = 'aborted' then json_object(
            'says', 'The transaction it was sent in was aborted.', 'trace_id', abort.trace_id, 'span_id', abort.span_id)
        when state in ('dead_lettered', 'retried', 'replayed') then json_object(
            'says', concat('Carried on as ', carrier.message, '.'), 'carrier', carrier.message,
            'trace_id', carrier.trace_id, 'span_id', carrier.span_id, 'spans', ledger_spans(spans))
        when state = 'duplicate' then json_object(
            'says', case when copies is null then 'Handled without error more than once, and no retry was declared.'
                else concat('Sent as ', array_to_string(copies, ' and '), ' with one event id, each handled without error.') end,
            'messages', copies, 'spans', ledger_spans(spans))
        when state = 'done' then json_object('says', 'Handled without error.', 'spans', ledger_spans(spans))
        when state = 'failed' then json_object(
            'says', concat(case len(spans) when 1 then 'Its delivery' else concat('The last of ', len(spans), ' deliveries') end, ' ended in error',
                coalesce(': ' || list_max(spans).error_type, ''), ', and nothing carried it on.'),
            'error_type', list_max(spans).error_type, 'spans', ledger_spans(spans))
        when state = 'processing' then json_object('says', 'A handler reports that it holds it.', 'held_since', held_since, 'spans', ledger_spans(spans))
        when state = 'expired' then json_object(
            'says', concat('Retention took the partition up to offset ', lost_to, ' while the group stood before this one.'),
            'log_start', lost_to, 'seen_at', lost_at)
        when state = 'waiting' then json_object(
            'says', concat('The group has committed up to ', committed, ' and no handler was seen to have it.'),
            'committed', committed, 'judged_at', judged_at)
        when state = 'passed' and counted then json_object(
            'says', 'The consumers'' own counters account for every offset around it; its span is missing.', 'committed', committed)
        when state = 'passed' and coalesce(share, 0) = 0 then json_object(
            'says', 'The commit passed it; no earlier handling by this group is known there.', 'committed', committed)
        when state = 'passed' then json_object(
            'says', concat('The commit passed it; handlers'' spans cover ', printf('%.3g', share * 100), ' % of the offsets around it.'),
            'committed', committed, 'neighbours', neighbours, 'share', round(share, 4))
        when state in ('unsettled', 'skipped') then json_object(
            'says', concat('The commit stands at ', committed, ', no handler had it, and of the offsets around it ',
                printf('%.3g', share * 100), ' % were handled.'),
            'committed', committed, 'neighbours', neighbours, 'share', round(share, 4), 'judged_at', judged_at)
        when committed is null then json_object('says', 'No poll tells where the group stands, and no handler was seen to have it.')
        when committed <= message_offset then json_object(
            'says', 'The group has not committed it, but later ones were handled, and its spans are sampled or missing.',
            'committed', committed, 'neighbours', neighbours, 'share', round(share, 4))
        else json_object(
            'says', concat('The commit passed it; only ', neighbours, ' neighbours were handled, too few to conclude anything.'),
            'committed', committed, 'neighbours', neighbours)
    end,
    case
        when limit_ms is not null then json_object('elapsed_ms', round(elapsed_ms, 1), 'limit_ms', round(limit_ms, 1))
        when missing is not null then json_object('missing_successor', json_object(
            'topic', missing.topic, 'share', round(missing.share, 4), 'limit_ms', round(missing.limit_ms, 1)))
        else '{}'
    end
);
