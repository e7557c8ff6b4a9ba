"""Spans in a table: CSV with a line for each, as the traces of microservice fault data sets are published.

Columns are known by their names, in any order: TraceID, SpanID, ParentID, OperationName, StartTimeUnixNano,
EndTimeUnixNano, and PodName or ServiceName.
"""

from __future__ import annotations

import csv
import io
import re

from .spans import INCOMPLETE, KINDS, Json, Read, attributes, grouped, messaging, span_id, trace_id

NEEDED = ("traceid", "spanid", "operationname", "starttimeunixnano", "endtimeunixnano")
_POD = re.compile(r"(.+?)(?:-[a-z0-9]{8,10})?-[a-z0-9]{5}")
"""Name of a pod of a deployment: the deployment's, a hash of its template, and five letters of its own."""
_MESSAGING = re.compile(r"(.+) (send|publish|receive|process)")
"""Name of a messaging span in the conventions of that time: destination, operation."""


def is_table(first_line: str) -> bool:
    """Whether a file's first line names the columns."""
    return set(NEEDED) <= {name.strip().lower() for name in first_line.split(",")}


def read(text: str) -> Read:
    """The spans of a table."""
    found = Read()
    spans = []
    for line in csv.DictReader(io.StringIO(text)):
        row = {(name or "").strip().lower(): value or "" for name, value in line.items() if name is not None}
        try:
            spans.append((_resource(row), _span(row)))
        except ValueError:
            found.skip(INCOMPLETE)
    found.resource_spans = grouped(spans)
    return found


def _resource(row: dict[str, str]) -> tuple[tuple[str, str], ...]:
    pod, service = row.get("podname", ""), row.get("servicename", "")
    if not service:
        parts = _POD.fullmatch(pod)
        service = parts[1] if parts is not None else pod
    named = (("service.name", service or "unknown_service"),)
    return (*named, ("k8s.pod.name", pod)) if pod else named


def _span(row: dict[str, str]) -> Json:
    name, kind, said = row["operationname"], KINDS["INTERNAL"], {}
    parts = _MESSAGING.fullmatch(name)
    if parts is not None:
        kind = KINDS["PRODUCER" if parts[2] in ("send", "publish") else "CONSUMER"]
        destination = None if parts[1].startswith("<") else parts[1]
        said = messaging("unknown", destination, kind, parts[2])
    parent = row.get("parentid", "").strip()
    return {
        "traceId": trace_id(row["traceid"].strip()),
        "spanId": span_id(row["spanid"].strip()),
        "parentSpanId": "" if parent.lower() in ("", "root", "null", "none") else span_id(parent),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(int(row["starttimeunixnano"])),
        "endTimeUnixNano": str(int(row["endtimeunixnano"])),
        "attributes": attributes(said),
    }
