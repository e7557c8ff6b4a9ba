"""The SQL objects: nothing astray, everything binds, every public column is documented and as agreed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from headwater_analysis import sql
from headwater_collector.store import Store, schema
from store_helpers import open_store

COLUMNS = {
    "spans": "trace_id span_id parent_span_id service name kind started_at ended_at duration_ms status "
    "status_message error_type attributes resource scope scope_version cluster topic incarnation partition "
    "message_offset consumer_group operation event_id received_at trace_state flags marks",
    "span_links": "trace_id span_id linked_trace_id linked_span_id cluster topic partition message_offset "
    "attributes position trace_state flags received_at",
    "span_events": "trace_id span_id occurred_at name attributes position received_at",
    "messages": "cluster topic incarnation partition message_offset sent_at available_at service trace_id "
    "span_id event_id key_hash size schema_id tombstone status transaction_outcome",
    "deliveries": "cluster topic incarnation partition message_offset consumer_group attempt service "
    "trace_id span_id received_at started_at ended_at status error_type redelivered",
    "hops": "cluster topic incarnation partition message_offset consumer_group attempt flow_id "
    "producer_service consumer_service send_trace_id send_span_id trace_id span_id sent_at available_at "
    "received_at started_at ended_at send_ms txn_wait_ms wait_ms wait_method wait_bound_ms local_wait_ms "
    "work_ms backoff_ms total_ms skewed status error_type",
    "flows": "flow_id pathway_id entry_service entry_name started_at ended_at total_ms wait_ms work_ms "
    "backoff_ms spans messages services topics errors dead_letters status complete orphan traces converged_ms "
    "replays doubtful",
    "pathways": "pathway_id entry_service entry_name path flows errors error_rate dead_letters total_p50_ms "
    "total_p95_ms wait_p50_ms wait_p95_ms work_p50_ms work_p95_ms first_seen last_seen",
    "offset_samples": "sampled_at cluster topic incarnation partition log_start end_offset stable_offset",
    "commit_samples": "sampled_at cluster consumer_group topic incarnation partition committed lag "
    "lag_seconds lag_method",
    "group_samples": "sampled_at cluster consumer_group state protocol members assignment",
    "lag": "cluster consumer_group topic incarnation partition lag readable_lag lag_seconds lag_method "
    "lag_error_seconds status evidence since in_rate out_rate drain_seconds log_start end_offset "
    "stable_offset committed member sampled_at",
    "group_health": "cluster consumer_group topic status evidence since lag lag_seconds lag_method "
    "lag_error_seconds partitions worst_partition state members in_rate out_rate sampled_at",
    "dead_letters": "cluster topic incarnation partition message_offset record_time origin_topic "
    "origin_partition origin_offset origin_group family error_type error_message attempts failure_group_id "
    "normalised_error event_id trace_id flow_id key value headers size state received_at",
    "failure_groups": "failure_group_id cluster origin_topic consumer_group error_type normalised_error "
    "messages first_seen last_seen attempts_max partitions topics example_topic example_partition "
    "example_offset",
    "services": "service first_seen last_seen spans errors instances sdk_language sdk_version topics_in "
    "topics_out",
    "clusters": "cluster name bootstrap state reason brokers polled_at poll_ms share_groups",
    "ingest_health": "sampled_at received_requests acknowledged_requests repeated_requests refused_requests "
    "stored_spans quarantined quarantine_reasons metrics_not_kept logs_not_kept log_bytes unstored_bytes "
    "oldest_unstored_seconds last_error started_at version",
    "in_flight": "cluster topic partition message_offset consumer_group service instance since held_seconds "
    "sampled_at",
    "blockers": "cluster consumer_group topic partition status evidence since message_offset assumed committed lag "
    "waiting_behind lag_seconds member sent_at sent_by size key_hash event_id flow_id deliveries failures attempt "
    "first_delivery_at last_delivery_at last_status error_type service trace_id span_id held_since held_seconds "
    "send_trace_id",
    "drain_forecast": "cluster consumer_group topic partition lag in_rate out_rate drain_rate drain_rate_low "
    "drain_rate_high drain_seconds drain_seconds_low drain_seconds_high retention_seconds sampled_at",
    "queue_marks": "cluster consumer_group topic mark partition evidence",
    "group_capacity": "cluster consumer_group topic members consumers partitions in_rate out_rate work_ms handlers "
    "busy_rate method capacity",
    "rebalances": "cluster consumer_group started_at ended_at members_before members_after members_joined "
    "members_left partitions_moved assignment_before assignment_after silent_seconds lag_before lag_after "
    "handled_again reported_by longest_ms generation",
    "flow_counts": "sampled_at counted_since service instance server direction cluster topic partition "
    "consumer_group prefix_id messages errors highest_offset latencies",
    "messaging_metrics": "sampled_at counted_since service instance metric unit delta operation cluster topic "
    "partition consumer_group error_type server value count sum bounds buckets",
    "pathway_history": "pathway_id hour entry_service entry_name flows errors dead_letters total_p50_ms "
    "total_p95_ms wait_p95_ms work_p95_ms",
    "ledger": "cluster topic incarnation partition message_offset consumer_group state since confidence stuck "
    "no_successor evidence sent_at trace_id span_id",
    "learned_limits": "pathway_id entry_service entry_name topic consumer_group wait_observations wait_p999_ms "
    "wait_limit_ms work_observations work_p999_ms work_limit_ms first_seen last_seen",
    "learned_successors": "topic consumer_group service successor_topic messages led_on share p999_ms limit_ms",
    "relation_columns": "relation column_name data_type comment position",
}
"""What others rely on, column by column."""

MACROS = {
    "trace('x')": COLUMNS["spans"],
    "flow_spans('x')": COLUMNS["spans"] + " flow_id cause_kind cause_trace_id cause_span_id shared",
    "flow_edges('x')": "kind from_trace_id from_span_id to_trace_id to_span_id cluster topic partition "
    "message_offset consumer_group primary_cause wait_ms",
    "spans_of_flows(['x'])": "trace_id span_id parent_span_id service name kind started_at ended_at duration_ms "
    "status status_message error_type cluster topic partition message_offset consumer_group operation event_id "
    "cause_kind cause_trace_id cause_span_id shared flow_id replays",
    "flow_hops('x')": COLUMNS["hops"],
    "flow_runs('x')": "run span_id started_at ended_at total_ms wait_ms work_ms backoff_ms spans messages errors "
    "dead_letters",
    "newest_spans(20)": COLUMNS["spans"],
    "flows_between('2026-01-01'::timestamp, null)": COLUMNS["flows"],
    "newest_flows('2026-01-01'::timestamp, null, 20)": COLUMNS["flows"],
    "flows_named(['x'])": COLUMNS["flows"],
    "pathways_between('2026-01-01'::timestamp, null)": COLUMNS["pathways"],
    "flow_of('x')": "flow_id matched",
    "flow_critical_path('x')": "flow_id run run_kind place kind started_at ended_at duration_ms share service "
    "operation topic consumer_group partition message_offset attempt trace_id span_id skewed",
    "lag_history('g', 't', '2026-01-01'::timestamp)": "sampled_at partition lag lag_seconds committed "
    "end_offset",
    "service_coverage('2026-01-01'::timestamp)": "service spans trace_id without_instance sdk_language host "
    "command_line far_future far_future_trace_id",
    "messaging_coverage('2026-01-01'::timestamp)": "service scope role topic consumer_group spans trace_id "
    "batches placed_spans without_topic without_partition without_offset without_group without_cluster "
    "misplaced_trace_id with_old_names old_names old_trace_id p95_ms brief_spans dropped_attributes "
    "dropped_links dropped_trace_id server_address server_port",
    "context_coverage('2026-01-01'::timestamp)": "topic producer_service consumer_service consumer_group "
    "messages continued unclear lost without_context sender_not_stored lost_example without_example "
    "not_stored_example skewed skew_ms skew_example",
    "ledger_since('t', 'g', '2026-01-01'::timestamp)": COLUMNS["ledger"],
    "ledger_between('t', 'g', '2026-01-01'::timestamp, '2026-01-02'::timestamp)": COLUMNS["ledger"],
    "learned_limits_since('t', 'g', '2026-01-01'::timestamp)": COLUMNS["learned_limits"],
    "learned_successors_since('t', 'g', '2026-01-01'::timestamp)": COLUMNS["learned_successors"],
    "out_of_order_since('t', 'g', '2026-01-01'::timestamp)": "topic incarnation partition message_offset "
    "consumer_group service attempt key_hash started_at trace_id span_id origin_topic origin_partition origin_offset "
    "overtaken_by_offset overtaken_by_trace_id overtaken_by_span_id",
    "compensations_since('2026-01-01'::timestamp)": "topic partition message_offset service sent_at trace_id span_id "
    "flow_id pathway_id entry_service entry_name event_id of_topic of_partition of_offset",
    "message_counts(interval 1 minute, '2026-01-01'::timestamp)": "counted_at service direction cluster topic "
    "consumer_group prefix_id messages errors send_p95_ms wait_p95_ms work_p95_ms latencies",
    "hot_keys_since('t', '2026-01-01'::timestamp)": "topic key_hash partition messages share keys",
    "rebalances_since('2026-01-01'::timestamp)": COLUMNS["rebalances"],
    "kafka_activity('2026-01-01'::timestamp)": "cluster topic consumer_group moved polls first_at last_at "
    "clients hosts",
    "repeated_events('2026-01-01'::timestamp)": "topic event_ids messages producer_service event_id example",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_store(tmp_path_factory.mktemp("sql") / "headwater.duckdb")
    yield opened
    opened.close()


def test_the_lists_of_public_names_are_what_is_agreed() -> None:
    assert set(sql.PUBLIC_RELATIONS) == set(COLUMNS)
    assert set(sql.PUBLIC_TABLE_MACROS) == {name.partition("(")[0] for name in MACROS}


@pytest.mark.parametrize("relation", [*COLUMNS, *MACROS])
def test_every_public_relation_binds_and_has_the_agreed_columns(store: Store, relation: str) -> None:
    found = [row[0] for row in store.read(f"describe from {relation}")]
    assert found == (COLUMNS | MACROS)[relation].split()


@pytest.mark.parametrize("relation", COLUMNS)
def test_every_column_of_a_public_relation_is_documented(store: Store, relation: str) -> None:
    undocumented = store.read(
        "select column_name from duckdb_columns() where table_name = ? and comment is null", [relation]
    )
    assert undocumented == []
    [(comment,)] = store.read(
        "select comment from duckdb_views() where view_name = ? "
        "union all select comment from duckdb_tables() where table_name = ?",
        [relation, relation],
    )
    assert comment


@pytest.mark.parametrize("macro", [*sql.PUBLIC_TABLE_MACROS, *sql.PUBLIC_FUNCTIONS])
def test_every_public_macro_is_documented(store: Store, macro: str) -> None:
    assert all(
        comment
        for (comment,) in store.read(
            "select comment from duckdb_functions() where not internal and function_name = ?",
            [macro],
        )
    )


def test_every_physical_table_and_view_is_made_from_a_file_of_its_name(store: Store) -> None:
    tables = {name for (name,) in store.read("select table_name from duckdb_tables() where not temporary")}
    assert tables == {item.name for item in schema.table_objects()} | {"store_version"}
    views = {name for (name,) in store.read("select view_name from duckdb_views() where not internal")}
    assert views <= {item.name for item in sql.view_objects()}


@pytest.mark.parametrize(
    ("why", "files", "order", "names"),
    [
        ("a stray file refuses to start", ["a", "stray"], "a\n", "stray.sql is not named"),
        ("a missing file refuses to start", ["a"], "a\ngone\n", "gone.sql is named in _order and missing"),
        ("a name twice refuses to start", ["a"], "a\na\n", "a.sql is named in _order twice"),
    ],
)
def test_strays_are_refused(tmp_path: Path, why: str, files: list[str], order: str, names: str) -> None:
    for name in files:
        (tmp_path / f"{name}.sql").write_text("select 1")
    (tmp_path / "_order").write_text(order)
    with pytest.raises(sql.SqlObjectsWrong, match=names):
        list(sql.ordered(tmp_path))


def test_the_store_file_answers_in_stock_duckdb_without_headwater(tmp_path: Path) -> None:
    open_store(tmp_path / "headwater.duckdb").close()
    (tmp_path / "headwater.duckdb").rename(tmp_path / "copied.duckdb")
    with duckdb.connect(str(tmp_path / "copied.duckdb"), read_only=True) as stock:
        for relation in [*COLUMNS, *MACROS]:
            stock.execute(f"from {relation}").fetchall()


def test_sql_files_stay_short() -> None:
    for item in [*sql.view_objects(), *schema.table_objects()]:
        assert item.text.count("\n") <= 100, item.name
