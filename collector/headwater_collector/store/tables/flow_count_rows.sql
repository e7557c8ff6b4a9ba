-- What instrumented services count of all their messages, sampled or not, one row a key and export; running totals
-- since counted_since. latencies: buckets of a DDSketch of 1 %, by what was measured (send, wait or work).
create table flow_count_rows (
    sampled_at timestamp not null,
    counted_since timestamp,
    service varchar,
    instance varchar,
    server varchar,
    direction varchar,
    topic varchar,
    partition integer,
    consumer_group varchar,
    prefix_id varchar,
    messages bigint,
    errors bigint,
    highest_offset bigint,
    latencies struct(measured varchar, bucket integer, messages bigint)[]
);
