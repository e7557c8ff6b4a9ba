-- Traces of flows worth keeping longer: with an error, a dead letter, or slower than 99 of 100 with their entry.
create or replace temp table newly_kept as
with judged as (
    select
        flow_id,
        case
            when errors > 0 then 'error'
            when dead_letters > 0 then 'dead_letter'
            when count(*) over same_entry >= 100 and total_ms > quantile_cont(total_ms, 0.99) over same_entry
                then 'slow'
        end as reason
    from aged_flows
    window same_entry as (partition by entry.service, entry.name)
)
select max(p.received_at) as received_at, p.trace_id, min(j.reason) as reason
from flow_parts p
join judged j on j.flow_id = p.flow_id
where j.reason is not null and p.received_at < (select before from retention_limits)
group by p.trace_id
having max(p.received_at) >= (select notable_before from retention_limits);
