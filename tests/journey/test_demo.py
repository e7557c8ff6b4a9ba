"""`headwater demo` with its own broker, as a newcomer starts it: one command, nothing else needed, nothing left."""

from __future__ import annotations

import functools
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater_analysis.reference.questions import QUESTIONS
from journey_demo import COMMAND, Demo, alive, children_of, running_demo, wait_until

SERVICES = {"checkout", "payments", "inventory", "shipping", "notifications"}
WHOLE = "len(services) = 5 and len(topics) = 3 and complete"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    data = tmp_path_factory.mktemp("demo")
    with running_demo(data, "--no-dashboard", "--rate=20", "--seed=1", "--poll=0.5") as running:
        yield running


def test_flows_cross_five_services_and_three_topics(demo: Demo) -> None:
    flows = demo.until(lambda: demo.rows(f"from flows where {WHOLE} limit 5"), "a whole flow")
    for flow in flows:
        assert set(flow["services"]) == SERVICES
        assert (
            flow["services"][:2] == ["checkout", "payments"] and flow["services"][0] == flow["entry_service"]
        )
        assert flow["topics"] == ["orders", "payments", "notifications"]
        assert flow["wait_ms"] > 0 and flow["work_ms"] > 0 and flow["status"] == "ok"


def test_every_partition_of_every_group_has_its_lag(demo: Demo) -> None:
    expected = {("payments", "orders"): 6, ("inventory", "payments"): 4, ("shipping", "payments"): 4,
                ("notifications", "notifications"): 2}  # fmt: skip

    def seen() -> bool:
        rows = demo.rows(
            "select consumer_group, topic, count(*) as n from lag "
            "where lag is not null and lag_seconds is not null group by all"
        )
        found = {(row["consumer_group"], row["topic"]): row["n"] for row in rows}
        return found.items() >= expected.items()

    demo.until(seen, "the lag of all partitions, in messages and seconds")


def test_the_slow_partition_falls_behind_alone(demo: Demo) -> None:
    def behind() -> bool:
        rows = demo.rows(
            "select partition, lag from lag where consumer_group = 'payments' and topic = 'orders'"
        )
        lags = {row["partition"]: row["lag"] or 0 for row in rows}
        return lags.get(2, 0) > 10 and max(lag for place, lag in lags.items() if place != 2) < lags[2] / 2

    demo.until(behind, "the lag of partition 2")


def test_the_documented_questions_have_answers(demo: Demo) -> None:
    for question in QUESTIONS:
        if question.may_be_empty:
            demo.rows(question.sql)
        else:
            demo.until(functools.partial(demo.rows, question.sql), question.words)


def test_dead_letters_are_grouped_by_cause_and_lead_to_their_flow(demo: Demo) -> None:
    causes = {"ValueError", "UnknownCurrency", "InvalidAddress"}

    def grouped() -> bool:
        return causes <= {row["error_type"] for row in demo.rows("select error_type from failure_groups")}

    demo.until(grouped, "all causes")
    groups = demo.rows(
        "select error_type, count(*) as n, sum(messages)::bigint as m from failure_groups group by all"
    )
    assert all(row["n"] == 1 and row["m"] >= 1 for row in groups if row["error_type"] in causes)
    joined = demo.until(
        lambda: demo.rows(
            "select d.key, d.value, f.services, f.status from dead_letters d join flows f using (flow_id) "
            "where d.error_type = 'UnknownCurrency' and f.dead_letters = 1"
        ),
        "a dead letter's flow",
    )
    assert joined[0]["services"] == ["checkout", "payments"] and joined[0]["status"] == "error"
    assert "currency" in joined[0]["value"] and joined[0]["key"].startswith("customer-")


def test_waiting_for_a_retry_is_back_off_and_not_work(demo: Demo) -> None:
    flow = demo.until(
        lambda: demo.rows(
            "select flow_id, backoff_ms, work_ms from flows "
            "where list_contains(topics, 'orders-retry-1') and list_contains(services, 'notifications') "
            "and not list_contains(topics, 'orders-retry-2') and complete limit 1"
        ),
        "a flow that was retried and came through",
    )[0]
    assert 1_000 < flow["backoff_ms"] < 2_000
    assert flow["work_ms"] < 1_000 or demo.rows(
        "select 1 from flow_hops(?) where topic = 'orders' and partition = 2", [flow["flow_id"]]
    )


def test_what_it_prints_can_be_tried(demo: Demo) -> None:
    flow = demo.rows(f"select flow_id from flows where {WHOLE} limit 1")[0]["flow_id"]
    waterfall = demo.command("flow", flow)
    assert all(service in waterfall for service in SERVICES)
    assert "orders/2" in demo.command("lag", "--group", "payments", "--partitions")
    assert "UnknownCurrency" in demo.command("dead-letters")


def test_the_doctor_finds_nothing_wrong_with_the_telemetry_of_the_shop(demo: Demo) -> None:
    assert json.loads(demo.command("doctor", "--json")) == []
    assert "✓ Nothing found" in demo.command("doctor")


def test_ctrl_c_ends_it_and_leaves_nothing(demo: Demo) -> None:
    children = children_of(demo.process.pid)
    assert len(children) == len(SERVICES)
    code, output = demo.interrupt()
    assert code == 0
    assert "Traceback" not in output
    assert re.search(r"headwater flow [0-9a-f]{32} --collector http://127\.0\.0\.1:\d+\n", output)
    assert not [pid for pid in children if alive(pid)]
    assert not (demo.data / "addresses.json").exists()


def test_a_demo_that_is_killed_leaves_no_service(tmp_path: Path) -> None:
    with running_demo(tmp_path, "--no-dashboard", "--seed=1") as demo:
        children = demo.until(lambda: children_of(demo.process.pid), "the services")
        demo.process.kill()
        demo.process.communicate(timeout=60)
        wait_until(lambda: not [pid for pid in children if alive(pid)], "the end of the services", 20)


def test_it_ends_by_itself_and_takes_its_data_away(tmp_path: Path) -> None:
    doors = [f"--{name}=127.0.0.1:0" for name in ("otlp-grpc", "otlp-http", "api")]
    done = subprocess.run(
        [*COMMAND, "demo", "--no-dashboard", "--seconds=0.5", *doors],
        capture_output=True, text=True, timeout=90, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Three things to try" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_said_and_another_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with running_demo(tmp_path, "--no-dashboard", f"--api={address}") as demo:
            assert demo.addresses["api"] != address
            _, output = demo.interrupt()
    assert f"{address} is in use" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fault=flood"], "There is no fault 'flood'; there are poison, "),
        (["--kafka=nonsense"], "takes [NAME=]HOST:PORT"),
        (["--rate=-3"], "--rate is '-3'"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, "demo", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1
