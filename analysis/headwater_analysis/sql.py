"""The SQL objects: finds, orders and installs the views and table macros, and says which are public.

One object, one file in ``views``, in the order of ``views/_order``. A file that the manifest does not name,
or a name without a file, refuses to start: nothing may lie there that nobody runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from .errors import HeadwaterError


class SqlObjectsWrong(HeadwaterError):
    """The manifest of SQL files and the files themselves do not agree."""


@dataclass(frozen=True)
class SqlObject:
    """One file of SQL."""

    name: str
    """File name without ``.sql``: the name of the object it makes."""
    text: str
    """Its statements, comments included."""


PUBLIC_RELATIONS: tuple[str, ...] = (
    "spans", "span_links", "span_events", "messages", "deliveries", "hops", "flows", "pathways",
    "offset_samples", "commit_samples", "group_samples", "lag", "group_health",
    "in_flight", "blockers", "drain_forecast", "queue_marks", "group_capacity", "rebalances",
    "flow_counts", "messaging_metrics", "pathway_history",
    "ledger", "learned_limits", "learned_successors",
    "dead_letters", "failure_groups", "services", "clusters", "ingest_health", "relation_columns",
)  # fmt: skip
"""Relations that a question may name; stable, documented column by column."""

PUBLIC_TABLE_MACROS: tuple[str, ...] = (
    "newest_spans", "flows_between", "newest_flows", "flows_named", "pathways_between",
    "trace", "flow_spans", "flow_edges", "flow_hops", "flow_runs", "flow_of", "flow_critical_path", "spans_of_flows",
    "lag_history",
    "service_coverage", "messaging_coverage", "context_coverage", "kafka_activity", "repeated_events", "ledger_since",
    "ledger_between", "learned_limits_since", "learned_successors_since", "out_of_order_since",
    "compensations_since", "message_counts", "hot_keys_since", "rebalances_since",
)  # fmt: skip
"""Questions with parameters that may stand after FROM."""

PUBLIC_FUNCTIONS: tuple[str, ...] = ("ago", "sketch_quantile_ms")
"""Scalar macros of ours that a question may call."""


def ordered(folder: Traversable) -> Iterator[SqlObject]:
    """The ``.sql`` files of a folder in the order of its ``_order``; raises SqlObjectsWrong."""
    names = (folder / "_order").read_text("utf-8").split()
    present = {entry.name.removesuffix(".sql") for entry in folder.iterdir() if entry.name.endswith(".sql")}
    twice = {name for name in names if names.count(name) > 1}
    for problem, found in (
        ("is not named in _order", present - set(names)),
        ("is named in _order and missing", set(names) - present),
        ("is named in _order twice", twice),
    ):
        if found:
            raise SqlObjectsWrong(
                f"The SQL file {sorted(found)[0]}.sql {problem} ({folder}); install headwater again."
            )
    for name in names:
        yield SqlObject(name, (folder / f"{name}.sql").read_text("utf-8"))


def view_objects() -> tuple[SqlObject, ...]:
    """Every view and macro in the order in which they can be created."""
    return tuple(ordered(resources.files(__package__) / "views"))


def install(execute: Callable[[str], object]) -> None:
    """Creates every view and macro with ``execute``; each may rest on the tables and on those before it."""
    for item in view_objects():
        execute(item.text)


EXAMPLE = """select consumer_group, topic, count(*) as deliveries,
       quantile_cont(wait_ms, 0.95) as p95_wait_ms
from hops
where started_at > ago(interval 15 minutes)
group by all order by p95_wait_ms desc"""
"""What a screen's editor holds before anybody has typed."""

DESCRIPTIONS = (
    "select relation, column_name, data_type, comment from relation_columns order by relation, position"
)
"""Every public relation and its columns; a relation's own comment has no column."""
