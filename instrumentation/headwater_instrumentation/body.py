"""A handler's body said explicitly, as a context manager that works with and without ``async``."""

from types import TracebackType
from typing import Any, Self

from .delivery import Delivery
from .guard import guard


class Body:
    """Begins a delivery where the body starts and ends it where the body is left. Nothing of it ever raises."""

    _delivery: Delivery | None = None
    _outer: Any = None
    """The context around the body."""

    def __enter__(self) -> Self:
        guard.run(type(self).__name__, self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        guard.settle(type(self).__name__, self._end, error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace_back)

    def _begin(self) -> None:
        raise NotImplementedError

    def _end(self, error: BaseException | None) -> None:
        raise NotImplementedError
