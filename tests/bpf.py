"""Runs a seccomp filter as the kernel would, for any architecture: classic BPF on a struct seccomp_data."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def run(packed: bytes, number: int, architecture: int, arguments: Sequence[int] = ()) -> int:
    """What it returns. Fails on an instruction that no filter of ours has, or a jump out of it."""
    program = list(struct.iter_unpack("=HBBI", packed))
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
            case 0x06:
                return int(k)
            case _:
                raise AssertionError(f"instruction {code:#x} at {at - 1}")
