"""What the machine does just now: figures of different times can be held against each other by it."""

import time


def million_loops_ms() -> int:
    """A million empty rounds of a loop, in CPU milliseconds: a slow host and other work beside slow both."""
    began = time.process_time()
    for _ in range(1_000_000):
        pass
    return round((time.process_time() - began) * 1e3)
