-- From when on deliveries teach: three days, so that a week-end does not speak for a Monday, and of those no more than
-- some hundred thousand, so that what is learned costs the same however much is stored. Flows that retention keeps are
-- stored again behind the newest; so the middle of twice as many rows is taken, not their oldest.
create macro learning_since() as (
    select greatest(max(received_at) - interval 3 days,
        case when max(rowid) >= 200000 then quantile_disc(received_at, 0.5) end)
    from hop_rows
    where rowid > (select max(rowid) - 200000 from hop_rows)
);
