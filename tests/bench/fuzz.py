"""Spoilt requests through both decoders: `python -m tests.bench.fuzz --number 1000000`, or `make bench-fuzz`.

Every request that the fast path reads lies right before a page that may not be read, so that one byte too far ends
the process; what it says must be what the protobuf path says; and memory must stay where it is. Prints a line now
and then, and the seed of whatever differs.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import random
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# pytest puts the tests' helpers on the path; a benchmark is run without it.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np  # noqa: E402

from collector_process import CACHE  # noqa: E402
from decoder_helpers import a_random_request, differences, requests_of, spoilt  # noqa: E402
from headwater_collector.receivers.decoding import compiled_decoder  # noqa: E402
from headwater_collector.receivers.otlp_decode import Decoder  # noqa: E402

NOW = 1_790_000_000_000_000_000
ROOM = 8 << 20
_libc = ctypes.CDLL(None, use_errno=True)


class Guarded:
    """Memory that ends where a page begins that nobody may read or write."""

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, ROOM + mmap.PAGESIZE)
        self.array = np.frombuffer(self._map, np.uint8)
        fence = ctypes.c_void_p(self.array.ctypes.data + ROOM)
        if _libc.mprotect(fence, ctypes.c_size_t(mmap.PAGESIZE), 0) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")

    def hold(self, data: bytes) -> Any:
        """The bytes, ending at the fence."""
        view = self.array[ROOM - len(data) : ROOM]
        view[:] = np.frombuffer(data, np.uint8)
        return view


def guard(decoder_module: Any) -> None:
    """Let the fast path read requests at the fence."""
    guarded = Guarded()
    plain = decoder_module.Joined

    def fenced(bodies: Sequence[bytes]) -> Any:
        joined = plain(bodies)
        joined.array = guarded.hold(joined.array.tobytes())
        return joined

    decoder_module.Joined = fenced


def resident_megabytes() -> int:
    """Largest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def run(number: int, seed: int) -> int:
    """How many batches differed."""
    fast = compiled_decoder(CACHE)
    from headwater_collector.receivers.fast import decoder as decoder_module

    guard(decoder_module)
    slow = Decoder()
    done = wrong = 0
    began = said = time.monotonic()
    while done < number:
        dice = random.Random(f"{seed}:{done}")
        whole = [a_random_request(dice, NOW).SerializeToString() for _ in range(20)]
        requests = requests_of([spoilt(body, dice) for body in whole for _ in range(25)], NOW)
        fast.forget()
        slow.forget()
        found = differences(fast.decode(requests), slow.decode(requests))
        if found:
            wrong += 1
            sys.stdout.write(f"seed {seed}:{done} differs: {str(found)[:2000]}\n")
        done += len(requests)
        if time.monotonic() - said > 20 or done >= number:
            said = time.monotonic()
            rate = done / (said - began)
            sys.stdout.write(
                f"{done:,} requests, {wrong} batches differ, {rate:,.0f} a second, {resident_megabytes()} MB\n"
            )
            sys.stdout.flush()
    return wrong


def main() -> int:
    """Run and report; 1 when anything differed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    return 1 if run(given.number, given.seed) else 0


if __name__ == "__main__":
    sys.exit(main())
