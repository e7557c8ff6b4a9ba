"""What the instrumentors of all clients share: finding the client, wrapping it, and putting everything back."""

from collections.abc import Callable, Collection
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import wrapt
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from .config import Config
from .guard import guard, logger
from .take_over import take_over


class ClientInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments one Kafka client. Options of ``instrument``: tracer_provider, meter_provider,
    produce_hook(span, args, kwargs), consume_hook(span, record), and config, a mapping of the switches in
    ``config.Config``.
    """

    distribution: ClassVar[str]
    """Name on the package index."""
    least: ClassVar[tuple[int, int]]
    """Oldest version that is instrumented."""
    below: ClassVar[tuple[int, int]]
    """First version that is not."""

    @property
    def supported(self) -> str:
        """Name and versions, as a requirement."""
        least, below = (".".join(str(part) for part in parts) for parts in (self.least, self.below))
        return f"{self.distribution} >= {least}, < {below}"

    def instrumentation_dependencies(self) -> Collection[str]:
        """What must be installed for this to do anything."""
        return (self.supported,)

    def _instrument(self, **kwargs: Any) -> None:
        self._undone: list[Callable[[], None]] = []
        try:
            if self._installed():
                if Config.read(kwargs.get("config")).take_over == "1":
                    guard.settle("take over", self._take_over)
                self._install(kwargs)
        except Exception as error:
            # Raising here would stop every instrumentation that is loaded after this one.
            logger.warning("%s is not instrumented: %s: %s", self.distribution, type(error).__name__, error)
            self._uninstrument()

    def _install(self, options: dict[str, Any]) -> None:
        """Imports the client and wraps it."""
        raise NotImplementedError

    def _take_over(self) -> None:
        undo = take_over(self.distribution)
        if undo is not None:
            self._undone.append(undo)

    def _uninstrument(self, **kwargs: Any) -> None:
        undone, self._undone = getattr(self, "_undone", []), []
        for undo in reversed(undone):
            # One that fails must not leave the others in place.
            guard.settle("uninstrument", undo)

    def _wrap(self, owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
        """Wraps what ``owner`` has under ``name``, its own or inherited."""
        own = vars(owner).get(name)
        self._put(owner, name, wrapt.FunctionWrapper(getattr(owner, name) if own is None else own, wrapper))

    def _put(self, owner: Any, name: str, value: Any) -> None:
        """Sets an attribute until uninstrumented."""
        if name in vars(owner):
            original = vars(owner)[name]
            self._undone.append(lambda: setattr(owner, name, original))
        else:
            self._undone.append(lambda: delattr(owner, name))
        setattr(owner, name, value)

    def _installed(self) -> bool:
        try:
            found = version(self.distribution)
        except PackageNotFoundError:
            return False
        numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
        if self.least <= numbers < self.below:
            return True
        logger.warning(
            "%s %s is not instrumented; %s is supported.", self.distribution, found, self.supported
        )
        return False
