"""What people may ask: everything that reads the public relations, and nothing else, however it is spelt."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater_analysis.errors import QueryRefused
from headwater_analysis.guard.statement import FUNCTIONS
from headwater_analysis.sql import PUBLIC_RELATIONS
from headwater_collector.api.sql import SqlLimits, SqlRunner
from store_helpers import open_store


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlRunner]:
    store = open_store(tmp_path_factory.mktemp("guard") / "headwater.duckdb")
    yield SqlRunner(store, SqlLimits())
    store.close()


HOSTILE = [
    "",
    "   ",
    "select 1; select 2",
    "insert into span_rows default values",
    "update span_rows set name = ''",
    "delete from span_rows",
    "drop view spans",
    "create table t as select 1",
    "create macro m() as 1",
    "attach 'other.db'",
    "copy spans to 'out.csv'",
    "copy (select 1) to 'out.csv'",
    "export database 'x'",
    "install httpfs",
    "load httpfs",
    "pragma database_list",
    "call checkpoint()",
    "set memory_limit = '1MB'",
    "reset memory_limit",
    "use memory",
    "begin",
    "explain select 1",
    "show tables",
    "describe span_rows",
    "summarize span_rows",
    "from span_rows",
    "from main.span_rows",
    "from headwater.main.span_rows",
    'from "SPAN_ROWS"',
    "select (select count(*) from span_rows)",
    "select * from spans where exists (from link_rows)",
    "with x as (from span_rows) from x",
    "with span_rows as (select 1) select * from (select 1) a, span_rows",
    "with duckdb_settings as (select 1) select 1",
    "from (from (from log_position))",
    "select * from spans union all by name select * from span_rows",
    "select * from spans join span_rows using (span_id)",
    "from 'data.csv'",
    "from 'data.parquet'",
    "from read_csv('x.csv')",
    "from read_text('x')",
    "from read_blob('x')",
    "from glob('*')",
    "from parquet_metadata('x')",
    "from sniff_csv('x')",
    "from duckdb_tables()",
    "from duckdb_settings()",
    "from duckdb_secrets()",
    "from pragma_database_list()",
    "from information_schema.tables",
    "from pg_catalog.pg_class",
    "from sqlite_master",
    "from query('from span_rows')",
    "from query_table('span_rows')",
    "from enable_logging(level='debug', storage='file', storage_path='x')",
    "from disable_logging()",
    "from checkpoint()",
    "from force_checkpoint()",
    "from truncate_duckdb_logs()",
    "from duckdb_logs()",
    "from json_execute_serialized_sql('{}')",
    "from repeat_row(1, num_rows=10)",
    "from spans, lateral (from read_csv('x.csv'))",
    "select write_log('x')",
    "select current_setting('memory_limit')",
    "select getenv('HOME')",
    "select nextval('s')",
    "select error('x')",
    "select sleep_ms(100000)",
    "select pg_sleep(1000)",
    "select getvariable('x')",
    "select json_serialize_sql('select 1')",
    "select list_transform([1], lambda x: write_log('x'))",
    "select sum(1) over (order by write_log('x'))",
    "select * from spans order by write_log('x')",
    "select * from spans limit (select count(*) from span_rows)",
    "select case when true then current_setting('x') end",
    "select system.main.abs(1)",
    "pivot spans on status using count(*)",
    "values ((select count(*) from span_rows))",
    "select " + "1," * 60_000 + "1",
    "select " + "(" * 30_000 + "1" + ")" * 30_000,
    "select " + "(select " * 300 + "1" + ")" * 300,
    "select " + "not " * 900 + "true",
    "select 1" + "+1" * 5_000,
    "select '{}'" + "->'a'" * 60,
    "with a as not materialized (select 1) from a",
    "select repeat('x', 1000000000)",
    "select repeat('x', trace_id::int) from spans",
    "select lpad('x', 100000, 'y')",
    "select rpad('x', ?, 'y')",
    "select repeat(x, greatest(1, 2))",
    "select format('{:>1000000000}', 'x')",
    "select format('{:{}}', 'x', 1000000000)",
    "select printf('%*d', 1000000000, 1)",
    "select printf(name, 1) from spans",
]

GOOD = [
    "select 1",
    "from spans",
    "select * from spans limit 3",
    "FROM Spans",
    "from main.spans",
    "select count(*) as n, service from spans group by all order by n desc",
    "with x as (select * from flows) select * from x",
    "with recursive r(i) as (select 1 union all select i + 1 from r where i < 5) from r",
    "with a as (select 1 as k), b as (from a) select * from b join a using (k)",
    "select * from spans s join span_links l using (span_id) left join flows f on s.trace_id = f.flow_id",
    "select * from (values (1, 'a')) v(i, t)",
    "values (1)",
    "from range(3)",
    "select unnest([1, 2, 3])",
    "from generate_series(1, 3) g(i)",
    "from trace('4bf92f3577b34da6a3ce929d0e0e4736')",
    "from flow_of('orders@3:1042')",
    "from flow_spans('x') order by started_at",
    "from lag_history('g', 't', timestamp '2026-01-01')",
    "select * from spans where started_at > ago(interval 15 minutes)",
    "select quantile_cont(wait_ms, 0.95) filter (where wait_ms > 0) from hops",
    "select attributes->>'$.\"http.route\"' as route from spans",
    "select list_transform(services, lambda s: upper(s)) from flows",
    "select row_number() over (partition by topic order by message_offset) from messages",
    "select lag(lag) over (order by sampled_at) from commit_samples",
    "select * exclude (value) from dead_letters",
    "select time_bucket(interval 1 minute, started_at::timestamp), count(*) from spans group by 1",
    "describe flows",
    "summarize select 1 as x",
    "select exists (from failure_groups)",
    "select * from spans where service in (select service from services)",
    "select * from group_health qualify rank() over (order by lag desc) = 1",
    "select strftime(started_at, '%H:%M') || '!' from flows",
    "select count(*) from spans where name like '%x%' and not name ~ 'y'",
    "select 'a' union select 'b' except select 'c' intersect select 'd'",
    "select repeat('█', least(greatest(duration_ms, 0), 100)::int), lpad(name, 40, '.') from spans",
    "select format('{:>10}', name), printf('%05.1f', duration_ms) from spans",
    "select attributes->'a'->'b'->>'c' from spans",
    "from relation_columns where relation = 'spans'",
    "select cast('1' as integer), try_cast('x' as integer), 1::double, date '2026-01-01' + 1",
]


@pytest.mark.parametrize("statement", HOSTILE, ids=lambda text: text[:60] or "empty")
def test_whatever_reaches_beyond_the_public_relations_is_refused(runner: SqlRunner, statement: str) -> None:
    with pytest.raises(QueryRefused) as caught:
        runner.run(statement)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("statement", GOOD, ids=lambda text: text[:60])
def test_whatever_reads_the_public_relations_is_answered(runner: SqlRunner, statement: str) -> None:
    assert runner.run(statement).cut is None


@pytest.mark.parametrize("relation", PUBLIC_RELATIONS)
def test_every_public_relation_can_be_asked(runner: SqlRunner, relation: str) -> None:
    assert runner.run(f"from {relation}").data.num_columns > 0


def test_nothing_of_what_was_refused_left_a_trace(runner: SqlRunner, tmp_path: Path) -> None:
    assert not list(Path.cwd().glob("out.csv"))
    assert not list(tmp_path.iterdir())


def test_the_list_of_functions_names_only_what_the_database_has(tmp_path: Path) -> None:
    store = open_store(tmp_path / "headwater.duckdb")
    known = {name for (name,) in store.read("select function_name from duckdb_functions()")}
    store.close()
    window = set("row_number rank dense_rank percent_rank cume_dist ntile lag lead".split())
    window |= {"first_value", "last_value", "nth_value", "fill"}
    assert known >= FUNCTIONS - window
