"""What the demo says when it runs: where to look, and three things to try that work right now."""

import contextlib

from headwater_analysis.errors import HeadwaterError
from headwater_analysis.remote import RemoteSource
from headwater_collector.doors import Addresses

_WHOLE = """
    select flow_id from flows where len(services) >= 4 and len(topics) >= 3 order by started_at limit 1
"""
_BEHIND = " (partition 2 of orders is slow for the first minute)"


def first_flow(api: str) -> str | None:
    """A flow that crosses the shop, as soon as one is stored."""
    with contextlib.closing(RemoteSource(api)) as source:
        try:
            rows = source.query(_WHOLE).rows
        except HeadwaterError:
            return None
    return rows[0][0] if rows else None


def things_to_try(
    addresses: Addresses, web: str | None, flow: str, kafka: str, seconds: float, faults: tuple[str, ...]
) -> str:
    """The text for standard output."""
    collector = "" if addresses.api.endswith(":4319") else f" --collector http://{addresses.api}"
    lines = [
        "",
        f"The shop is open; its first whole flow was stored after {seconds:.0f} s.",
        "",
        f"  dashboard   http://{web}" if web else "  dashboard   not started",
        f"  terminal    headwater tui{collector}",
        f"  OTLP        http://{addresses.otlp_http} (HTTP), {addresses.otlp_grpc} (gRPC)",
        f"  Kafka       {kafka}",
        "",
        "Three things to try, in another terminal or in the dashboard:",
        "",
        "  1. One order across the shop, the waits in its topics drawn:",
        f"       headwater flow {flow}{collector}",
        *([f"       http://{web}/flow/{flow}"] if web else []),
        f"  2. Who is behind, by how much and why{_BEHIND if 'slow-partition' in faults else ''}:",
        f"       headwater lag --group payments --partitions{collector}",
        *([f"       http://{web}/queues"] if web else []),
        "  3. What failed for good, grouped by cause, each with its origin:",
        f"       headwater dead-letters{collector}",
        *([f"       http://{web}/dead-letters"] if web else []),
        "",
        "Payloads of the shop's dead letters are kept and shown here; for your own you would switch that on.",
        "Ctrl-C ends everything.",
        "",
    ]
    return "\n".join(lines)
