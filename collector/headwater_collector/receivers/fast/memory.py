"""Memory by address, for compiled code: arrays handed from function to function cost more than what is done here.

So compiled functions take addresses, and nothing here checks a bound: every read is of bytes that `wire` has found
to lie before an end, and every write into rows that `spans` has found to have room for the whole span.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Int = Any
"""An int64 (words: uint64) to the compiler, an int or a numpy scalar to Python."""

Bool = Any
"""Truth, likewise"""

PADDING = 8
"""Bytes behind the last one that a word may be read from; whoever joins requests adds them."""


def compiled(function: F) -> F:
    """Compiled into the functions that call it."""
    return cast(F, njit(nogil=True, error_model="numpy")(function))


def entry(function: F) -> F:
    """Called from Python: compiled once, then read from the cache."""
    return cast(F, njit(nogil=True, error_model="numpy", cache=True)(function))


def _reader(bits: int, result: Any) -> Any:
    def read(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            found = builder.load(pointer, align=1)
            return found if bits == 64 else builder.zext(found, ir.IntType(64))

        return result(types.int64), generate

    return intrinsic(read)


def _writer(bits: int, value: Any) -> Any:
    def write(typing_context: Any, address: Any, number: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            number = arguments[1] if bits == 64 else builder.trunc(arguments[1], ir.IntType(bits))
            builder.store(number, pointer, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, value), generate

    return intrinsic(write)


byte = cast(Callable[[Int], Int], _reader(8, types.int64))
"""The byte at an address"""
word = cast(Callable[[Int], Int], _reader(64, types.uint64))
"""Eight bytes from an address on, as they lie there: the first is the lowest"""
get = cast(Callable[[Int], Int], _reader(64, types.int64))
"""The integer at an address"""
put_byte = cast(Callable[[Int, Int], None], _writer(8, types.int64))
put_word = cast(Callable[[Int, Int], None], _writer(64, types.uint64))
put = cast(Callable[[Int, Int], None], _writer(64, types.int64))


@compiled
def load(space: Int, place: Int) -> Int:
    """The integer at a place, counted in integers."""
    return get(space + place * 8)


@compiled
def store(space: Int, place: Int, value: Int) -> None:
    """Write the integer at a place."""
    put(space + place * 8, value)
