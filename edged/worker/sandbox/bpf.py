"""Classic BPF for seccomp, put together from rules. Pure: rules in, instructions out.

A program of ours is one straight list: is it our architecture, then call after call in the order given;
each is allowed at once, allowed on conditions, or answered with an errno. What is in no rule gets the
default. The kernel remembers which calls are allowed whatever their arguments (Linux 5.11 and later), so
the length of the list is paid only for the few that have conditions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

# linux/seccomp.h
ALLOW: Final = 0x7FFF0000
NOTIFY: Final = 0x7FC00000  # SECCOMP_RET_USER_NOTIF
ERRNO: Final = 0x00050000
KILL: Final = 0x80000000  # SECCOMP_RET_KILL_PROCESS
# offsets in struct seccomp_data
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = 16
# linux/bpf_common.h
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_MASK: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
# linux/audit.h, asm/unistd.h: calls of x32 come under x86-64's name, from this number on
_X86_64: Final = 0xC000003E
_X32: Final = 0x40000000

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, k


class Is(NamedTuple):
    """A condition: the argument's bits under ``mask`` are ``value``; 64 bits both."""

    argument: int
    value: int
    mask: int = 0xFFFFFFFF_FFFFFFFF


class Rule(NamedTuple):
    """A call by name: allowed when any of ``cases`` holds, each when all of its conditions do; ``((),)`` is
    always. ``errno``: in these cases it is answered with that instead, and is never made.
    """

    name: str
    cases: tuple[tuple[Is, ...], ...] = ((),)
    errno: int = 0


def program(
    rules: Iterable[Rule], numbers: Mapping[str, int], architecture: int, default: int
) -> list[Instruction]:
    """The filter for one architecture; rules for calls that it does not have are left out. What comes by
    another architecture's numbers ends the process.
    """
    made: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if architecture == _X86_64:
        made += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, KILL)]
    for rule in rules:
        if rule.name in numbers:
            body = _body(rule, default)
            made += [(_EQUAL, 0, len(body), numbers[rule.name]), *body]
    return [*made, (_RETURN, 0, 0, default)]


def _body(rule: Rule, default: int) -> list[Instruction]:
    """What is done once the call is this one: always ends in a return."""
    answer = ERRNO | rule.errno if rule.errno else ALLOW
    made: list[Instruction] = []
    for case in rule.cases:
        made += _case(case, answer)
        if not case:
            return made
    made.append((_RETURN, 0, 0, default))
    if len(made) > 255:
        raise ValueError(f"{rule.name}: {len(made)} instructions are further than one jump goes")
    return made


def _case(case: tuple[Is, ...], answer: int) -> list[Instruction]:
    """Answer if all conditions hold, else go on behind. Jumps are counted from behind the instruction."""
    words = [word for condition in case for word in _words(condition)]
    checks = [
        [(_LOAD, 0, 0, offset), *([(_MASK, 0, 0, mask)] if mask != 0xFFFFFFFF else []), (_EQUAL, 0, 0, value)]
        for offset, value, mask in words
    ]
    left = sum(map(len, checks)) + 1
    made: list[Instruction] = []
    for check in checks:
        left -= len(check)
        code, _, _, value = check[-1]
        made += [*check[:-1], (code, 0, left, value)]
    return [*made, (_RETURN, 0, 0, answer)]


def _words(condition: Is) -> list[tuple[int, int, int]]:
    """(offset, value, mask) of the two halves of an argument; both architectures are little-endian. A half
    whose mask is 0 is not looked at.
    """
    at = _ARGUMENTS + 8 * condition.argument
    value = condition.value & condition.mask
    halves = [
        (at, value & 0xFFFFFFFF, condition.mask & 0xFFFFFFFF),
        (at + 4, value >> 32, condition.mask >> 32),
    ]
    return [half for half in halves if half[2]]


def packed(program: Iterable[Instruction]) -> bytes:
    """As struct sock_filter, one after the other."""
    return b"".join(struct.pack("=HBBI", *one) for one in program)
