-- Offset ranges ("orders:3:100-199") that batch and poll spans of this batch name.
create or replace temp table new_ranges as
with said as (
    select *, unnest(from_json(said[8], '["VARCHAR"]')) as written
    from new_facts
    join new_words using (row)
    where role in ('process', 'receive') and said[8] is not null and json_valid(said[8])
), parsed as (
    select *, regexp_extract(written, '^(.+):([0-9]+):([0-9]+)(?:-([0-9]+))?$', ['t', 'p', 'a', 'b']) as r
    from said
)
select
    received_at, case when role = 'process' then 'batch' else role end as role, cluster, r.t as topic,
    r.a::bigint as first_offset, coalesce(try_cast(r.b as bigint), r.a::bigint) as last_offset,
    r.p::integer as partition, consumer_group, trace_id, span_id, parent_span_id, service, started_at,
    ended_at, status, error_type, transactional as reads_committed
from parsed
where r.t != '';
