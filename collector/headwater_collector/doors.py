"""Everything that listens: both OTLP doors and the API, with one set of tokens, one certificate, one state."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .access import Access
from .api.server import ApiServer
from .config import CollectorSettings
from .connections import ConnectionBounds, allowed
from .counters import IngestCounters
from .log import AppendLog
from .rates import Rates
from .receivers.intake import DoorBounds, Intake
from .receivers.otlp_grpc import OtlpGrpcDoor
from .receivers.otlp_http import OtlpHttpDoor
from .store import Store
from .tokens import TokenFile

MEGABYTE = 1 << 20
_OTLP_SHARE, _API_SHARE = 0.4, 0.15
"""Of the descriptors that are free: services come by the hundred, screens by the dozen."""


@dataclass(frozen=True)
class Addresses:
    """HOST:PORT of each door, as taken."""

    otlp_grpc: str
    otlp_http: str
    api: str

    def write(self, data: Path, **more: str) -> None:
        """Write addresses.json, whole or not at all."""
        temporary = data / f".addresses.{os.getpid()}.json"
        temporary.write_text(json.dumps({**asdict(self), **more}, indent=2) + "\n", encoding="utf-8")
        temporary.replace(data / "addresses.json")


class Doors:
    """Construct without I/O; `open` once. `state` says what the pipeline and the clusters do, `count` reads framing."""

    def __init__(
        self,
        settings: CollectorSettings,
        store: Store,
        log: AppendLog,
        counters: IngestCounters,
        state: Callable[[], dict[str, object]],
        count: Callable[[bytes], int],
    ) -> None:
        self._settings = settings
        self._store = store
        self._log = log
        self._state = state
        self._access = Access(settings.token, TokenFile(settings.data))
        bounds = DoorBounds(
            body_bytes=settings.max_body * MEGABYTE,
            compressed_bytes=min(DoorBounds.compressed_bytes, settings.max_body * MEGABYTE),
        )
        self._intake = Intake(log, counters, self._access, bounds, count)
        self._rates = Rates(counters.row)
        self._http: OtlpHttpDoor | None = None
        self._grpc: OtlpGrpcDoor | None = None
        self._api: ApiServer | None = None
        self._limits: dict[str, int] = {}

    async def open(self, parts: AsyncExitStack) -> Addresses:
        """Open the API, then the OTLP doors; `parts` closes them in reverse.

        Raises PortInUse, UsageError or TokensBroken.
        """
        settings = self._settings
        self._access.open()
        tls = settings.tls()
        context = None if tls is None else tls.context
        otlp = allowed(ConnectionBounds(most=settings.max_connections), _OTLP_SHARE)
        asking = allowed(ConnectionBounds(most=settings.max_connections), _API_SHARE)
        asking = replace(asking, head_seconds=30.0)  # a person at a slow line, not a service
        self._limits = {"otlp_http": otlp.most, "otlp_grpc": otlp.most, "api": asking.most}

        watching = asyncio.create_task(self._rates.watch(), name="rates")
        parts.callback(watching.cancel)
        self._api = ApiServer(
            self._store,
            settings.api,
            health=self.health,
            access=self._access,
            connections=asking,
            tls=context,
        )
        api_address = await self._api.start()
        parts.push_async_callback(self._api.stop)
        self._http = OtlpHttpDoor(self._intake, settings.otlp_http, connections=otlp, tls=context)
        http_address = await self._http.start()
        parts.push_async_callback(self._http.stop)
        self._grpc = OtlpGrpcDoor(self._intake, settings.otlp_grpc, connections=otlp, tls=tls)
        grpc_address = await self._grpc.start()
        parts.push_async_callback(self._grpc.stop)
        return Addresses(grpc_address, http_address, api_address)

    def health(self) -> dict[str, object]:
        """Everything that `GET /v1/health` and `GET /metrics` say."""
        doors: dict[str, dict[str, int]] = {name: {"limit": most} for name, most in self._limits.items()}
        for name, door in (("api", self._api), ("otlp_http", self._http)):
            if door is not None:
                doors[name] |= {"connections": door.server.connections, "refused": door.server.refused}
        if self._grpc is not None:
            doors["otlp_grpc"]["calls"] = self._grpc.calls
        try:
            free: int | None = shutil.disk_usage(self._settings.data).free
        except OSError:
            free = None
        return {
            **self._state(),
            **self._log.state(),
            "in_flight_bytes": self._intake.in_flight,
            "disk_free_bytes": free,
            "per_second": self._rates.per_second(),
            "doors": doors,
        }
