"""The settings of the pipeline that storing was measured with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PipelineBounds:
    """How much at once, how soon, how long."""

    batch_rows: int = 122_880
    """Spans of a commit when behind: the store's row group. From there on it writes rows straight into its file;
    fewer go through its own log first and cost nearly twice as much."""
    batch_bytes: int = 96 << 20
    """Of a commit, where spans are large: more would cost memory."""
    chunk_bytes: int = 8 << 20
    """Decoded at a time: some 20,000 spans, so that a commit is a few percent larger than it need be at most."""
    first_batch_bytes: int = 1 << 20
    """The first after a start, doubled with each that is stored: a process that does not live long gets on too."""
    linger_seconds: float = 0.6
    """Wait at most this long for more, so that what was acknowledged is visible within a second."""
    unstored_seconds: float = 1.0
    """Wait for more only while the oldest is younger: with the commit itself that keeps answers within two seconds."""
    repeat_seconds: float = 600.0
    """The same bytes within this time are a repetition: exporters give up after a minute or so."""
    checkpoint_bytes: int = 256 << 20
    """Checkpoint after so many log bytes: each one costs, and without any no segment can go."""
    idle_seconds: float = 10.0
    """Checkpoint when nothing has come for so long."""
