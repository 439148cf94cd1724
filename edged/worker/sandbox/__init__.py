"""The worker's own sandbox: from ``lock`` on this process can compute, read what it holds open, and speak
over the wall, and nothing else. See ``docs/adr/0021-sandbox.md``.

It is put on once device and models are open and one inference has been made, and nothing takes it off. What
the kernel lacks is told (``Locked.lacking``), never passed over in silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from edged.wall import Assignment
from edged.worker.sandbox import landlock, limits, outlook, process, proof, seccomp, stillness

#: Growth that a rung needs beside the one at work, with its activations and its threads' stacks.
GROWTH = 512 << 20  # bytes
DESCRIPTORS = 256


class Wanted(NamedTuple):
    """What the work still needs once it is locked. ``purposes`` are rows of ``calls``: the source's kind and
    "edgetpu"; ``growth`` is how many bytes of memory it may still take, ``descriptors`` how many may be open.
    """

    purposes: frozenset[str] = frozenset()
    growth: int = GROWTH
    descriptors: int = DESCRIPTORS


class Locked(NamedTuple):
    """How it is locked. ``lacking`` names what the kernel lacks: "landlock", "seccomp", or "early-landlock"
    (until the lock), "notification" (a forbidden call ends the worker, and nobody learns its name),
    "mm-map" (its command line can be read by everybody, and rewritten by itself).
    """

    lacking: tuple[str, ...] = ()


def narrow(task: Assignment) -> tuple[str, ...]:
    """Before anything foreign is opened: nothing can be written, made, forked or exec'd from now on, and
    nothing read but the system and what the task names. For a model or a recording that takes its reader
    over while it is opened.

    What could not be had is returned, as ``Locked.lacking``. Raises ``OSError``.
    """
    stillness.share_one_heap()
    process.give_up_privileges()
    limits.forbid_cores()
    lacking = () if process.hide_arguments() else ("mm-map",)
    seccomp.forbid(_asks_for_a_tpu(task))
    readable = tuple(outlook.readable(task))
    if not landlock.bearable(readable, outlook.DEVICES):
        return (*lacking, "early-landlock")
    landlock.enforce(readable, outlook.DEVICES)
    return lacking


def _asks_for_a_tpu(task: Assignment) -> bool:
    """Whether a library is going to look for an Edge TPU."""
    asking = any(one.edgetpu_file and one.delegate != "cpu" for one in task.models)
    return asking and not task.cpu_because


def shut(
    answers: int = 1, purposes: frozenset[str] = frozenset(), first: Callable[[], object] = lambda: None
) -> Locked:
    """As ``lock``, for a process that no daemon listens to: proven here, and from then on the first forbidden
    call ends it. ``purposes`` as in ``Wanted``. ``first`` is done locked already, while what is forbidden is
    only refused: a library may ask once for what it can do without. Without filters it is not done.

    Raises ``RefusedError`` when the sandbox does not hold, ``OSError`` when it cannot be put on, and what
    ``first`` raises.
    """
    lacking = _bounded(GROWTH, DESCRIPTORS)
    filtered = seccomp.refuse(purposes, answers)
    if filtered:
        proof.prove()
        first()
    if not filtered or seccomp.enforce(purposes, ask=False, answers=answers) is None:
        lacking.append("seccomp")
    return Locked(tuple(lacking))


def lock(wanted: Wanted, hand_over: Callable[[int], None]) -> Locked:
    """Give up everything but what ``wanted`` names, for good and in every thread, and prove it.

    ``hand_over`` passes the descriptor on through which the kernel asks about forbidden calls; whoever has
    it must answer. Raises ``RefusedError`` when the sandbox does not hold, ``OSError`` when it cannot be
    put on.
    """
    lacking = _bounded(wanted.growth, wanted.descriptors)
    listener = seccomp.enforce(wanted.purposes)
    if listener is None:
        lacking.append("seccomp")
    elif listener < 0:
        lacking.append("notification")
    else:
        hand_over(listener)
        os.close(listener)
        proof.prove()
    return Locked(tuple(lacking))


def _bounded(growth: int, descriptors: int) -> list[str]:
    """All of a lock but its filter; what the kernel lacks."""
    stillness.settle()
    process.give_up_privileges()
    limits.bound(growth, descriptors)
    if not landlock.enforce():
        return ["landlock"]
    if not landlock.holds():
        raise proof.broken("open")
    return []
