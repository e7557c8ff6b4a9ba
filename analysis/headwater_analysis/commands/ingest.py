"""`headwater ingest`: is what services send arriving, and is it kept."""

from dataclasses import asdict

from headwater_analysis import format as fmt
from headwater_analysis import ingest as question
from headwater_analysis.settings import COLLECTOR, JSON, STORE, TOKEN, Command, read

from .printing import empty, opened, print_fields, print_json, when

INGEST = Command(
    "ingest",
    "Shows what the collector's doors received, acknowledged, refused and stored, and what waits.",
    ("headwater ingest", "headwater ingest --json"),
    options=(COLLECTOR, TOKEN, STORE, JSON),
)


def run(argv: list[str]) -> int:
    """The command; gives its exit code."""
    settings = read(INGEST, argv)
    with opened(settings) as source:
        row, now = question.ingest(source), question.ingest_now(source)
    if settings.json:
        print_json(None if row is None else {**asdict(row), "now": None if now is None else asdict(now)})
        return 0
    if row is None:
        empty("The collector has not counted anything yet.")
        return 0
    fields = [
        ("version", row.version),
        ("started", when(row.started_ns)),
        ("as of", when(row.sampled_ns)),
        ("requests received", fmt.count(row.received_requests)),
        ("  acknowledged", fmt.count(row.acknowledged_requests)),
        ("  repeated", fmt.count(row.repeated_requests)),
        ("  refused", fmt.count(row.refused_requests)),
        ("spans stored", fmt.count(row.stored_spans)),
        ("quarantined", fmt.count(row.quarantined)),
        ("metrics not kept", fmt.count(row.metrics_not_kept)),
        ("logs not kept", fmt.count(row.logs_not_kept)),
        ("log on disk", f"{fmt.count(row.log_bytes)} bytes"),
        ("not yet stored", f"{fmt.count(row.unstored_bytes)} bytes"),
        ("oldest of it", fmt.duration_ms(_ms(row.oldest_unstored_seconds))),
        ("last error", row.last_error or "none"),
    ]
    fields += [
        (f"  {reason}", fmt.count(count)) for reason, count in sorted((row.quarantine_reasons or {}).items())
    ]
    print_fields([*fields, *_now(now)], 20)
    return 0


def _now(now: question.IngestNow | None) -> list[tuple[str, str]]:
    if now is None:
        return []
    return [
        ("at the moment", ""),
        ("  received", fmt.rate(now.received_per_second)),
        ("  acknowledged", fmt.rate(now.acknowledged_per_second)),
        ("  refused", fmt.rate(now.refused_per_second)),
        ("  spans stored", fmt.rate(now.stored_per_second)),
        ("  wait for the disk", f"{fmt.count(now.waiting_requests)} requests"),
        ("  log may grow to", f"{fmt.count(now.log_limit_bytes)} bytes"),
        ("  disk left", f"{fmt.count(now.disk_free_bytes)} bytes"),
        *((f"  {door}", _door(values)) for door, values in sorted(now.doors.items())),
    ]


def _door(values: dict[str, int]) -> str:
    parts = [f"{fmt.count(values['calls'])} calls"] if "calls" in values else []
    if "connections" in values:
        parts.append(f"{fmt.count(values['connections'])} connections")
        parts.append(f"{fmt.count(values['refused'])} turned away")
    return ", ".join([*parts, f"at most {fmt.count(values['limit'])}"])


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
