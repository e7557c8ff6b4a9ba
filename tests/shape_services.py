"""Services of one process, one at a time, with the real instrumentation and exporter, and the flows that come of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from collector_process import CollectorProcess
from headwater_analysis.remote import RemoteSource
from headwater_instrumentation import AIOKafkaInstrumentor
from kafka_harness import KafkaBroker

PATIENCE_SECONDS = 60
Edge = tuple[str, str, str, str | None, str | None, bool]
"""Kind, cause and effect as ``service: span``, message, group, whether it is the primary cause."""


class Service:
    """One service while it runs: its clients are stopped and its spans exported at its end."""

    def __init__(self, town: Town, tracer: trace.Tracer, stack: AsyncExitStack) -> None:
        self._town = town
        self.tracer = tracer
        self._stack = stack

    async def producer(self, **options: Any) -> AIOKafkaProducer:
        """A started producer."""
        made = AIOKafkaProducer(**{"bootstrap_servers": self._town.bootstrap, **options})
        return await self._stack.enter_async_context(made)

    async def consumer(self, *topics: str, group: str, **options: Any) -> AIOKafkaConsumer:
        """A started consumer that reads from the beginning and commits nothing by itself."""
        given = {
            "bootstrap_servers": self._town.bootstrap,
            "group_id": group,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            **options,
        }
        return await self._stack.enter_async_context(
            AIOKafkaConsumer(*map(self._town.topic, topics), **given)
        )


class Town:
    """Services over one broker and one collector. Names of topics are short here and unlike any other's there."""

    def __init__(self, kafka: KafkaBroker, collector: CollectorProcess, run: str) -> None:
        self.bootstrap = kafka.bootstrap
        self._kafka = kafka
        self.collector = collector
        self._run = run

    def topic(self, name: str) -> str:
        """A topic's name on the broker."""
        return f"{name}.{self._run}"

    def topics(self, *names: str) -> None:
        """Makes topics of one partition."""
        for name in names:
            self._kafka.create_topic(self.topic(name), 1)

    @asynccontextmanager
    async def service(self, name: str, **config: object) -> AsyncIterator[Service]:
        """Everything in the block is done by this service."""
        exporter = OTLPSpanExporter(endpoint=f"http://{self.collector.addresses['otlp_http']}/v1/traces")
        provider = TracerProvider(resource=Resource({"service.name": name}), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter))
        AIOKafkaInstrumentor().uninstrument()
        AIOKafkaInstrumentor().instrument(tracer_provider=provider, config={"metrics": "off", **config})
        otel_context.attach(otel_context.Context())
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), AsyncExitStack() as stack:
                yield Service(self, provider.get_tracer("shapes"), stack)
        finally:
            otel_context.attach(otel_context.Context())
            AIOKafkaInstrumentor().uninstrument()
            await asyncio.to_thread(provider.shutdown)

    def flow_after(self, name: str, anything: str, number: int = 1) -> str:
        """The flow that holds something, once so many spans of a name and a topic's short name are stored."""
        operation, _, topic = name.partition(" ")
        asked = f"select count(*) from spans where name = '{operation} {self.topic(topic)}'"
        self.collector.wait_for(asked, number)
        return self.flow_of(anything)

    def flow_of(self, anything: str) -> str:
        """The flow that holds something."""
        [row] = self.rows("select flow_id from flow_of(?)", [anything])
        return str(row["flow_id"])

    def rows(self, statement: str, params: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of a question."""
        return RemoteSource(f"http://{self.collector.addresses['api']}").query(statement, params).dicts()

    def flow(self, flow_id: str) -> dict[str, Any]:
        """A flow's row, without its times."""
        [row] = self.rows(
            "select spans, messages, errors, dead_letters, status, complete, traces, replays from flows "
            "where flow_id = ?",
            [flow_id],
        )
        return row

    def runs(self, flow_id: str) -> list[dict[str, Any]]:
        """A flow's own run and its replays."""
        return self.rows("from flow_runs(?) order by run", [flow_id])

    def shared(self, flow_id: str) -> list[str]:
        """The spans that belong to other flows too."""
        rows = self.rows(
            "select concat(service, ': ', name) as span from flow_spans(?) where shared order by all",
            [flow_id],
        )
        return [self._short(row["span"]) for row in rows]

    def edges(self, flow_id: str) -> list[Edge]:
        """The edges of a flow, in order."""
        rows = self.collector.sql(
            "select e.kind, concat(f.service, ': ', f.name), concat(t.service, ': ', t.name), "
            "concat(e.topic, '@', e.partition, ':', e.message_offset), e.consumer_group, e.primary_cause, "
            "e.topic is null or e.message_offset is null as bare "
            "from flow_edges(?) e "
            "join spans f on f.trace_id = e.from_trace_id and f.span_id = e.from_span_id "
            "join spans t on t.trace_id = e.to_trace_id and t.span_id = e.to_span_id",
            [flow_id],
        )
        said = [
            (
                kind,
                self._short(cause),
                self._short(effect),
                None if bare else self._short(place),
                group,
                primary,
            )
            for kind, cause, effect, place, group, primary, bare in rows
        ]
        return sorted(said, key=str)

    def _short(self, text: str) -> str:
        return text.replace(f".{self._run}", "")
