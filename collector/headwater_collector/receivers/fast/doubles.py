"""A double's shortest decimal text, compiled: Schubfach (R. Giulietti, "The Schubfach way to render doubles").

Rounded to the same digits as Python's `repr`, laid out as orjson does, which writes the other path's JSON.
"""

from __future__ import annotations

import numpy as np

from .memory import Bool, Int, Words, byte, compiled, put_byte
from .text import digits, put_bytes

_LOWEST, _HIGHEST = -292, 324


def _powers() -> Words:
    """Powers of ten in 128 bits, rounded up: (upper, lower) half of each."""
    rows = []
    for power in range(_LOWEST, _HIGHEST + 1):
        shift = 127 - (power * 1741647 >> 19)
        above, below = 10 ** max(power, 0) << max(shift, 0), 10 ** max(-power, 0) << max(-shift, 0)
        whole = -(-above // below)
        rows.append((whole >> 64, whole & (1 << 64) - 1))
    return np.array(rows, np.uint64)


_POWERS = _powers()
_LOW_HALF = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_FRACTION = np.uint64((1 << 52) - 1)
_HIDDEN = np.uint64(1 << 52)
_0, _1, _2, _4, _10, _40 = (np.uint64(number) for number in (0, 1, 2, 4, 10, 40))


@compiled
def _upper(one: Int, other: Int) -> Int:
    """Upper 64 bits of a product."""
    a, b = one >> _32, one & _LOW_HALF
    c, d = other >> _32, other & _LOW_HALF
    low = b * d
    first = a * d + (low >> _32)
    second = b * c + (first & _LOW_HALF)
    return a * c + (first >> _32) + (second >> _32)


@compiled
def _rounded(power: Int, value: Int) -> Int:
    """The product with a power of ten, its last bit set where bits were lost."""
    low = _upper(_POWERS[power, 1], value)
    middle = _POWERS[power, 0] * value + low
    high = _upper(_POWERS[power, 0], value)
    if middle < low:
        high += _1
    return high | _1 if middle > _1 else high


@compiled
def _shortest(fraction: Int, exponent: Int) -> tuple[Int, Int]:
    """(digits, power of ten) of a finite double above zero."""
    value = fraction
    binary = np.int64(-1074)
    if exponent != 0:
        value |= _HIDDEN
        binary = exponent - 1075
        if -52 <= binary <= 0:
            shift = np.uint64(-binary)
            if value & ((_1 << shift) - _1) == _0:
                return value >> shift, np.int64(0)
    closer = fraction == _0 and exponent > 1
    odd = value & _1
    decimal = (binary * 1262611 - (524031 if closer else 0)) >> 22
    shift = np.uint64(binary + (-decimal * 1741647 >> 19) + 1)
    power = -decimal - _LOWEST
    low = _rounded(power, (_4 * value - (_1 if closer else _2)) << shift) + odd
    middle = _rounded(power, _4 * value << shift)
    high = _rounded(power, (_4 * value + _2) << shift) - odd
    short = middle // _4
    if short >= _10:
        ten = short // _10
        down = low <= _40 * ten
        up = _40 * ten + _40 <= high
        if down != up:
            return ten + (_1 if up else _0), decimal + 1
    down = low <= _4 * short
    up = _4 * short + _4 <= high
    if down != up:
        return short + (_1 if up else _0), decimal
    half = _4 * short + _2
    if middle > half or (middle == half and short & _1 != _0):
        short += _1
    return short, decimal


@compiled
def double(bits: Int, to: Int) -> Int:
    """Write a double as JSON, NaN and the infinities as words; returns the next position."""
    fraction = bits & _FRACTION
    exponent = np.int64(bits >> np.uint64(52)) & 2047
    negative = bits >> np.uint64(63) != _0
    if exponent == 2047:
        return _no_number(fraction != _0, negative, to)
    if negative:
        put_byte(to, 45)
        to += 1
    if fraction == _0 and exponent == 0:
        return put_bytes(to, 0x302E30, 3)
    value, power = _shortest(fraction, exponent)
    while value % _10 == _0:
        value //= _10
        power += 1
    end = digits(value, to)
    point = end - to + power
    if 0 < point <= 16:
        if power >= 0:
            for _ in range(power):
                put_byte(end, 48)
                end += 1
            return put_bytes(end, 0x302E, 2)
        _move(to + point, end, 1)
        put_byte(to + point, 46)
        return end + 1
    if -5 < point <= 0:
        _move(to, end, 2 - point)
        for at in range(to, to + 2 - point):
            put_byte(at, 48)
        put_byte(to + 1, 46)
        return end + 2 - point
    if end - to > 1:
        _move(to + 1, end, 1)
        put_byte(to + 1, 46)
        end += 1
    put_byte(end, 101)
    put_byte(end + 1, 43 if point > 0 else 45)
    return digits(np.uint64(abs(point - 1)), end + 2)


@compiled
def _move(start: Int, end: Int, places: Int) -> None:
    """Move digits to the right."""
    for at in range(end - 1, start - 1, -1):
        put_byte(at + places, byte(at))


@compiled
def _no_number(nan: Bool, negative: Bool, to: Int) -> Int:
    if nan:
        return put_bytes(to, 0x224E614E22, 5)  # "NaN"
    if negative:
        to = put_bytes(to, 0x2D22, 2)
    else:
        to = put_bytes(to, 0x22, 1)
    put_bytes(to, 0x7974696E69666E49, 8)  # Infinity
    return put_bytes(to + 8, 0x22, 1)
