"""What is kept ready for questions, beside the rows as received."""

from ..records import SpanBatch
from .writer import Writer


def keep(writer: Writer, batch: SpanBatch) -> None:
    """Adds what a batch means, in the batch's own transaction."""
