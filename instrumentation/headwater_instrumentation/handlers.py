"""``@processor``: a handler function whose every call is the handling of the record, or the records, it is given."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .batches import process_batch
from .guard import guard
from .process import process
from .records import is_record

Handler = TypeVar("Handler", bound=Callable[..., Any])
LOOKED_AT = 2
"""Positional arguments in which the record is looked for: a method's first is its object."""


def processor(handler: Handler) -> Handler:
    """Runs ``handler(record, …)`` inside ``process(record)``, and ``handler(records, …)`` inside ``process_batch``.

    Functions and methods, sync or async. The record is the first or second positional argument, or the only keyword
    argument that is one. A call without a record is passed through.
    """
    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def handled(*args: Any, **kwargs: Any) -> Any:
            around = guard.run("processor", _around, args, kwargs)
            if around is None:
                return await handler(*args, **kwargs)
            async with around:
                return await handler(*args, **kwargs)

    else:

        @functools.wraps(handler)
        def handled(*args: Any, **kwargs: Any) -> Any:
            around = guard.run("processor", _around, args, kwargs)
            if around is None:
                return handler(*args, **kwargs)
            with around:
                return handler(*args, **kwargs)

    return handled  # type: ignore[return-value]


def _around(args: tuple[Any, ...], kwargs: dict[str, Any]) -> process | process_batch | None:
    for given in (*args[:LOOKED_AT], *kwargs.values()):
        if is_record(given):
            return process(given)
        if isinstance(given, list | tuple) and given and all(is_record(one) for one in given):
            return process_batch(given)
    return None
