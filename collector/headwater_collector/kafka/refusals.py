"""What a poll was refused, gathered into few sentences."""

from confluent_kafka import KafkaError, KafkaException

MOST_REFUSALS = 20


class Refusals:
    """Reasons by what was refused: a topic of a hundred partitions is one sentence."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], None] = {}
        self.groups: dict[str, str] = {}
        self.groups_complete = True

    def add(self, what: str, reason: str) -> None:
        self._found[what, reason] = None

    def add_group(self, group: str, what: str, reason: str) -> None:
        self.add(what, reason)
        self.groups[group] = f"{what}: {reason}"

    def sentences(self) -> tuple[str, ...]:
        said = [f"{what}: {reason}" for what, reason in self._found]
        more = len(said) - MOST_REFUSALS
        return tuple(said) if more <= 0 else (*said[:MOST_REFUSALS], f"and {more} more")


def timed_out(error: BaseException) -> bool:
    if isinstance(error, KafkaException):
        return bool(error.args) and error.args[0].code() == KafkaError._TIMED_OUT
    return isinstance(error, TimeoutError)


def reason_of(error: BaseException) -> str:
    """The words of an error, without librdkafka's wrapping."""
    if isinstance(error, KafkaException) and error.args and isinstance(error.args[0], KafkaError):
        inner = error.args[0]
        return str(inner.str() or inner.name())
    return str(error) or type(error).__name__
