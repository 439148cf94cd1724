"""Runs a seccomp filter as the kernel would, for any architecture: classic BPF on a struct seccomp_data."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache


@cache
def unpacked(packed: bytes) -> list[tuple[int, ...]]:
    return list(struct.iter_unpack("=HBBI", packed))


def run(packed: bytes, number: int, architecture: int, arguments: Sequence[int] = ()) -> int:
    """What it returns. Fails on an instruction that neither our filters nor libseccomp's have, or a jump out
    of it.
    """
    program = unpacked(packed)
    given = [one % 2**64 for one in (*arguments, *[0] * 6)][:6]
    data = struct.pack("=iIQ6Q", number, architecture, 0, *given)
    register, at = 0, 0
    while True:
        code, if_true, if_false, k = program[at]
        at += 1
        match code:
            case 0x20:
                (register,) = struct.unpack_from("=I", data, k)
            case 0x54:
                register &= k
            case 0x15:
                at += if_true if register == k else if_false
            case 0x25:
                at += if_true if register > k else if_false
            case 0x35:
                at += if_true if register >= k else if_false
            case 0x05:
                at += k
            case 0x06:
                return int(k)
            case _:
                raise AssertionError(f"instruction {code:#x} at {at - 1}")
