"""Where the terminal is: a location such as ``/flow/ID?span=…``, the same string that the browser shows."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

VIEWS = {
    "1": ("overview", "/", "Overview"),
    "3": ("flows", "/flows", "Flows"),
    "5": ("queues", "/queues", "Queues"),
    "6": ("dead_letters", "/dead-letters", "Dead letters"),
    "8": ("sql", "/sql", "SQL"),
}
"""Key → (view, location, title)."""

_FIRST = {"": "overview", "flows": "flows", "flow": "flow", "trace": "flow", "queues": "queues", "queue": "queues",
          "dead-letters": "dead_letters", "sql": "sql", "go": "flow"}  # fmt: skip


@dataclass(frozen=True)
class Location:
    """A view and what it shows."""

    view: str
    rest: tuple[str, ...] = ()
    """What follows the view's name in the path."""
    query: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Location":
        """The location of a path or a whole URL; anything that is no path is looked for as a flow."""
        parts = urlsplit(text.strip() if text.strip() else "/")
        names = [unquote(name) for name in parts.path.split("/") if name]
        if not text.strip().startswith("/") and not parts.scheme:
            return cls("flow", (text.strip(),))
        view = _FIRST.get(names[0] if names else "")
        if view is None:
            return cls("flow", ("/".join(names),))
        return cls(view, tuple(names[1:]), dict(parse_qsl(parts.query)))

    def text(self) -> str:
        """The string that leads back here."""
        first = {"overview": "", "dead_letters": "dead-letters"}.get(self.view, self.view)
        if self.view == "queues" and self.rest:
            first = "queue"
        path = "/" + "/".join(quote(name, safe="@:") for name in (first, *self.rest) if name)
        return f"{path}?{urlencode(self.query)}" if self.query else path
