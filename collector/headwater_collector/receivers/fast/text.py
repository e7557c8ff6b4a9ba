"""Text, whole numbers and bytes into UTF-8 and JSON, eight bytes at a time where that is safe; compiled.

Writers write up to seven bytes more than they report, never more than the room that `ROOM` asks for.
"""

from __future__ import annotations

import numpy as np

from .memory import Bool, Int, Words, byte, compiled, put_byte, put_word, word

ROOM_PER_BYTE = 8
"""JSON needs at most six bytes for one of text (\\u001f), and eight for two of an attribute without a value."""
ROOM = 64
"""And so many more, whatever the length."""

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)
_BASE64 = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", np.uint8)
_SHORT = np.zeros(32, np.uint8)
for _code, _letter in zip(b"\b\t\n\f\r", b"btnfr", strict=True):
    _SHORT[_code] = _letter
_NOTHING, _TEN = np.uint64(0), np.uint64(10)
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_SPACES = np.uint64(0x2020202020202020)
_QUOTES = np.uint64(0x2222222222222222)
_BACKSLASHES = np.uint64(0x5C5C5C5C5C5C5C5C)
KEEP: Words = np.array([(1 << 8 * number) - 1 for number in range(9)], np.uint64)
"""Masks that keep the first bytes of a word."""


@compiled
def same(one: Int, other: Int, length: Int) -> Bool:
    """Whether two stretches of the buffer are equal."""
    done = 0
    while length - done >= 8:
        if word(one + done) != word(other + done):
            return False
        done += 8
    return (word(one + done) ^ word(other + done)) & KEEP[length - done] == np.uint64(0)


@compiled
def character(at: Int, end: Int) -> Int:
    """Bytes of the UTF-8 character at `at`; 0 where there is none."""
    first = byte(at)
    if first < 0x80:
        return 1
    if first < 0xC2 or first > 0xF4:
        return 0
    size = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    if end - at < size:
        return 0
    second = byte(at + 1)
    low = 0xA0 if first == 0xE0 else 0x90 if first == 0xF0 else 0x80
    high = 0x9F if first == 0xED else 0x8F if first == 0xF4 else 0xBF
    if second < low or second > high:
        return 0
    for place in range(2, size):
        if byte(at + place) & 0xC0 != 0x80:
            return 0
    return size


@compiled
def copy(start: Int, length: Int, to: Int) -> Bool:
    """Copy text; returns whether it is UTF-8."""
    high = np.uint64(0)
    done = 0
    while done < length:
        eight = word(start + done)
        put_word(to + done, eight)
        if length - done < 8:
            eight &= KEEP[length - done]
        high |= eight & _HIGH
        done += 8
    if high != np.uint64(0):
        at, end = start, start + length
        while at < end:
            size = character(at, end)
            if size == 0:
                return False
            at += size
    return True


@compiled
def quoted(start: Int, length: Int, to: Int) -> Int:
    """Write text as a JSON string; returns the next position, -1 where it is not UTF-8."""
    put_byte(to, 34)
    to += 1
    done = 0
    while done < length:
        eight = word(start + done)
        put_word(to + done, eight)
        if length - done < 8:
            keep = KEEP[length - done]
            eight = eight & keep | _SPACES & ~keep
        quote, backslash = eight ^ _QUOTES, eight ^ _BACKSLASHES
        special = (
            (eight - _SPACES) & ~eight | (quote - _ONES) & ~quote | (backslash - _ONES) & ~backslash | eight
        )
        if special & _HIGH != np.uint64(0):
            return _escaped(start + done, start + length, to + done)
        done += 8
    put_byte(to + length, 34)
    return to + length + 1


@compiled
def put_bytes(to: Int, number: Int, length: Int) -> Int:
    """Write the lowest bytes of a number; returns the next position."""
    put_word(to, np.uint64(number))
    return to + length


@compiled
def _escaped(at: Int, end: Int, to: Int) -> Int:
    while at < end:
        code = byte(at)
        if code >= 0x80:
            size = character(at, end)
            if size == 0:
                return np.int64(-1)
            put_word(to, word(at))
            at += size
            to += size
            continue
        at += 1
        if code == 34 or code == 92:
            to = put_bytes(to, 92 | code << 8, 2)
        elif code >= 32:
            put_byte(to, code)
            to += 1
        elif _SHORT[code] != 0:
            to = put_bytes(to, 92 | np.int64(_SHORT[code]) << 8, 2)
        else:
            put_bytes(to, 0x3030755C, 4)
            to = put_bytes(to + 4, np.int64(_HEX[code >> 4]) | np.int64(_HEX[code & 15]) << 8, 2)
    put_byte(to, 34)
    return to + 1


@compiled
def digits(value: Int, to: Int) -> Int:
    """Write an unsigned 64-bit integer; returns the next position."""
    number = 1
    rest = value // _TEN
    while rest > _NOTHING:
        number += 1
        rest //= _TEN
    for place in range(number):
        rest = value // _TEN
        put_byte(to + number - 1 - place, np.int64(value - rest * _TEN) + 48)
        value = rest
    return to + number


@compiled
def integer(value: Int, to: Int) -> Int:
    """Write a signed 64-bit integer; returns the next position."""
    if value < 0:
        put_byte(to, 45)
        return digits(_NOTHING - np.uint64(value), to + 1)
    return digits(np.uint64(value), to)


@compiled
def hexed(start: Int, length: Int, to: Int) -> Bool:
    """Write bytes, a multiple of four, as lower-case hex; returns whether any of them is not zero."""
    any_bit = np.uint64(0)
    for place in range(0, length, 4):
        four = word(start + place) & KEEP[4]
        any_bit |= four
        # Spread to a byte each half, the upper half first; then letters are 39 further than digits.
        four = (four | four << np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
        four = (four | four << np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
        halves = four >> np.uint64(4) & np.uint64(0x000F000F000F000F)
        halves |= (four & np.uint64(0x000F000F000F000F)) << np.uint64(8)
        letters = (halves + np.uint64(0x0606060606060606)) >> np.uint64(4) & _ONES
        put_word(to + 2 * place, halves + np.uint64(0x3030303030303030) + letters * np.uint64(39))
    return any_bit != _NOTHING


@compiled
def base64(start: Int, end: Int, to: Int) -> Int:
    """Write bytes as a JSON string of base64; returns the next position."""
    put_byte(to, 34)
    to += 1
    while start < end:
        left = end - start
        three = byte(start) << 16
        if left > 1:
            three |= byte(start + 1) << 8
        if left > 2:
            three |= byte(start + 2)
        put_byte(to, np.int64(_BASE64[three >> 18]))
        put_byte(to + 1, np.int64(_BASE64[three >> 12 & 63]))
        put_byte(to + 2, np.int64(_BASE64[three >> 6 & 63]) if left > 1 else 61)
        put_byte(to + 3, np.int64(_BASE64[three & 63]) if left > 2 else 61)
        start += 3
        to += 4
    put_byte(to, 34)
    return to + 1
