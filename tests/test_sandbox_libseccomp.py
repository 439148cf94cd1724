"""Our filters against libseccomp's: of the same rules both make the same verdicts, call by call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import bpf as kernel
import libseccomp
import pytest

from edged import syscalls
from edged.worker.sandbox import bpf, calls
from edged.worker.sandbox.bpf import Is, Rule

PROCESS: Final = 4242
PURPOSES: Final = (
    *((one,) for one in ("synthetic", *calls.REQUESTS)),
    *((one, "edgetpu") for one in ("v4l2", "camera")),
)
LAST: Final = 1024  # no architecture has a call beyond
X32: Final = 0x40000000  # calls of x32 have x86-64's name and this bit
#: What is unlike whatever a rule may ask for.
OTHERS: Final = (0, 1, 2, 3, 4, 0xFFFFFFFF, 1 << 32, (1 << 32) + 3, 1 << 63, 2**64 - 1)


def libseccomp_is_there() -> bool:
    try:
        libseccomp.library()
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not libseccomp_is_there(), reason=f"{libseccomp.LIBRARY} is not installed")


def near(condition: Is) -> Iterator[int]:
    """Values of an argument around a condition: what it asks for, with and without what it does not look at,
    and what differs in one bit.
    """
    mask = condition.mask
    yield from (condition.value, condition.value | ~mask & (2**64 - 1), condition.value ^ 1 << 32)
    yield from (condition.value ^ 1 << bit for bit in range(0, 64, 1 if mask.bit_count() < 16 else 5))


def tried(rules: Iterable[Rule]) -> Iterator[tuple[int, ...]]:
    """Arguments for a call of these rules: around each condition, with the others of its case met."""
    yield from ((one,) * 6 for one in OTHERS)
    for case in (case for rule in rules for case in rule.cases):
        met = [0] * 6
        for condition in case:
            met[condition.argument] = condition.value
        yield tuple(met)
        for condition in case:
            for value in {*near(condition), *OTHERS}:
                yield (*met[: condition.argument], value, *met[condition.argument + 1 :])


def differing(rules: list[Rule], machine: str, default: int) -> list[tuple[str, tuple[int, ...], int, int]]:
    """Calls of which the two say something else."""
    audit, numbers = syscalls.AUDIT[machine], syscalls.numbers(machine)
    ours = bpf.packed(bpf.program(rules, numbers, audit, default))
    theirs = libseccomp.program(rules, machine, default)
    found = []
    for number in (*range(LAST), X32 - 1, *range(X32, X32 + LAST), 2**31 - 1):
        name = syscalls.named(number, machine)
        for arguments in tried([one for one in rules if one.name == name]):
            verdicts = [kernel.run(one, number, audit, arguments) for one in (ours, theirs)]
            if verdicts[0] != verdicts[1]:
                found.append((name, arguments, *verdicts))
    return found


@pytest.mark.parametrize("machine", libseccomp.ARCHITECTURES)
@pytest.mark.parametrize("purposes", PURPOSES, ids="+".join)
def test_both_let_the_same_through(machine: str, purposes: tuple[str, ...]) -> None:
    assert differing(calls.rules(purposes, PROCESS), machine, bpf.NOTIFY) == []


@pytest.mark.parametrize("machine", libseccomp.ARCHITECTURES)
@pytest.mark.parametrize("devices", [False, True])
def test_both_refuse_the_same_before_the_lock(machine: str, devices: bool) -> None:
    known = [one for one in calls.before(devices) if libseccomp.knows(one.name)]
    assert len(known) > 30 and differing(known, machine, bpf.ALLOW) == []


@pytest.mark.parametrize("machine", libseccomp.ARCHITECTURES)
def test_both_end_who_calls_by_another_architectures_numbers(machine: str) -> None:
    rules = calls.rules(("camera",), PROCESS)
    ours = bpf.packed(bpf.program(rules, syscalls.numbers(machine), syscalls.AUDIT[machine], bpf.NOTIFY))
    theirs = libseccomp.program(rules, machine, bpf.NOTIFY)
    for other in (0x40000003, 0x40000028, *(syscalls.AUDIT[one] for one in syscalls.AUDIT if one != machine)):
        assert {kernel.run(one, number, other) for one in (ours, theirs) for number in range(600)} == {
            bpf.KILL
        }


def test_what_differs_is_found() -> None:
    """One bit of any condition."""
    rules = calls.rules(("v4l2",), PROCESS)
    numbers, audit = syscalls.numbers("x86_64"), syscalls.AUDIT["x86_64"]
    theirs = libseccomp.program(rules, "x86_64", bpf.NOTIFY)
    for index, one in enumerate(rules):
        for condition in (condition for case in one.cases for condition in case if one.name in numbers):
            lowest = condition.mask & -condition.mask
            changed = Rule(one.name, ((condition._replace(value=condition.value ^ lowest),),), one.errno)
            others = [*rules[:index], changed, *rules[index + 1 :]]
            wrong = bpf.packed(bpf.program(others, numbers, audit, bpf.NOTIFY))
            verdicts = [
                [kernel.run(filter_, numbers[one.name], audit, arguments) for arguments in tried([one])]
                for filter_ in (wrong, theirs)
            ]
            assert verdicts[0] != verdicts[1], one.name
