"""The list of checks: their groups, their order, and how long each may take."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Final, NamedTuple

from edged.doctor.case import Case
from edged.doctor.finding import Finding, Progress


class Check(NamedTuple):
    """``limit`` in seconds: for what hangs, not for what is slow on a Pi Zero. ``asks`` is what it finds
    out.
    """

    name: str
    group: str
    limit: float
    asks: str


CHECKS: Final = (
    Check("daemon", "Service", 10.0, "does edged run, and does it count?"),
    Check("config", "Service", 10.0, "is the config right, and is it in force?"),
    Check("control", "Service", 10.0, "can the daemon be asked, and by whom?"),
    Check("hardening", "Service", 30.0, "is the unit's hardening in force?"),
    Check("versions", "Service", 30.0, "do the parts fit together?"),
    Check("source", "Seeing", 120.0, "is each camera or file there, and may the service look?"),
    Check("model", "Seeing", 300.0, "does each model load, and how fast is it here?"),
    Check("delegate", "Seeing", 30.0, "is the Edge TPU there, and does its library fit?"),
    Check("key", "Keeping", 90.0, "is the store's key there, and only the service's?"),
    Check("store", "Keeping", 1800.0, "does the key open the store, and is each page whole?"),
    Check("card", "Keeping", 20.0, "what does the state lie on, is it worn, is there room?"),
    Check("temperature", "Board", 10.0, "can it be read, and how far is it from the limit?"),
    Check("voltage", "Board", 10.0, "is there enough of it, now and since boot?"),
    Check("governor", "Board", 20.0, "what does it go by here, and what will it keep to?"),
    Check("clock", "Board", 10.0, "is the time right, and who says so?"),
    Check("memory", "Board", 20.0, "is there enough for the models?"),
)
NAMES: Final = tuple(one.name for one in CHECKS)


def examine(name: str, case: Case) -> Iterator[Finding | Progress]:
    """What the check of that name finds. Imported here, so that one that cannot be imported is one that
    failed.
    """
    found: Iterator[Finding | Progress] = import_module(f"edged.doctor.checks.{name}").examine(case)
    yield from found
