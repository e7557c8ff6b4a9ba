"""Errors on spans: the class always, text and stack only where they are asked for."""

import traceback

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode

from . import attributes as names
from .config import Config

STACK_AT_MOST = 8192
"""Characters of a stack that are recorded."""


def failed(span: trace.Span, error: BaseException, config: Config | None) -> None:
    """Marks a span with an error's class; its message only where that is switched on."""
    if span.is_recording():
        span.set_attribute(names.ERROR_TYPE, kind_of(error))
        text = str(error)[:1024] if config is not None and config.errors != "class" else None
        if config is not None and config.errors == "stack":
            span.add_event("exception", _stack(error))
        span.set_status(Status(StatusCode.ERROR, text))


def _stack(error: BaseException) -> dict[str, str]:
    """The conventions' event of an exception; of a long stack the end, which is where it happened."""
    stack = "".join(traceback.format_exception(error))
    return {
        "exception.type": kind_of(error),
        "exception.message": str(error)[:1024],
        "exception.stacktrace": stack[-STACK_AT_MOST:],
    }


def kind_of(error: BaseException) -> str:
    """Class of an error; of an error of librdkafka its name, since all have the same class."""
    for found in (error, *error.args[:1]):
        name = getattr(found, "name", None)
        if callable(name) and callable(getattr(found, "code", None)):
            return str(name())
    return type(error).__qualname__
