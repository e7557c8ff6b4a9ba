"""OTLP files: JSON in lines, as the file exporter of OpenTelemetry's collector writes it, or one document; protobuf."""

from __future__ import annotations

import base64
from typing import Any

from .spans import Json, Read


def read(documents: list[Any]) -> Read:
    """``resourceSpans`` of several documents; ``batches`` is what Tempo's API calls them."""
    found = Read()
    for document in documents:
        held = document.get("resourceSpans", document.get("resource_spans", document.get("batches")))
        found.resource_spans += [one for one in held or () if isinstance(one, dict)]
    return found


def read_protobuf(raw: bytes) -> Read | None:
    """A ``TracesData`` or ``ExportTraceServiceRequest``, which are alike; None where it is none."""
    # Loaded only here: most files are JSON, and these modules take a while.
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    try:
        parsed = TracesData.FromString(raw)
    except DecodeError:
        return None
    found = Read()
    for one in parsed.resource_spans:
        held: Json = MessageToDict(one, use_integers_for_enums=True)
        for scope in held.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                _ids(span)
                for link in span.get("links", ()):
                    _ids(link)
        found.resource_spans.append(held)
    return found if found.resource_spans else None


def _ids(holder: Json) -> None:
    # Protobuf's own JSON writes bytes in base 64, OTLP's writes ids in hex.
    for name in ("traceId", "spanId", "parentSpanId"):
        if name in holder:
            holder[name] = base64.b64decode(holder[name]).hex()
