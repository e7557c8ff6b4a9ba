"""Every message that crosses widgets."""

from typing import Any

from textual.message import Message


class Opened(Message):
    """Enter on a row: show what is behind it."""

    def __init__(self, row: Any) -> None:
        super().__init__()
        self.row = row


class Moved(Message, bubble=True):
    """The cursor stands on another row; only the newest counts."""

    def __init__(self, row: Any) -> None:
        super().__init__()
        self.row = row

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Moved)


class Go(Message):
    """Show another place: a location such as /flow/ID."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self.location = location


class Ask(Message):
    """The view in front wants its question asked again now."""


class Said(Message):
    """A sentence for the person, as a toast."""

    def __init__(self, sentence: str, bad: bool = False) -> None:
        super().__init__()
        self.sentence = sentence
        self.bad = bad
