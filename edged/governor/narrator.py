"""What the governor did, told as an owner wants to hear it: each turn once, with its reason, never the ramp
in between.
"""

from __future__ import annotations

import math
from typing import Final, Literal, Protocol

import msgspec

from edged.board.vitals import Vitals
from edged.governor.policy import Budget, State
from edged.numerals import short

BIG: Final = 1.25  # times as much or as little as was told: that is news
AGAIN: Final = 60.0  # seconds between two words on one and the same recovery
HOLD: Final = 10.0  # seconds between two words on one and the same descent
FULL: Final = 0.999
RISING: Final = 0.5  # °C a minute
UNEXPECTED: Final = 5.0  # °C between what is read and what is believed
FAR: Final = 600.0  # seconds: what is further away is no forecast that anybody asked for


class Note(Protocol):
    """Says and keeps that one of ``edged.events`` has happened."""

    def __call__(self, event: str, text: str, pipeline: str = "", **fields: object) -> None:
        """``fields`` are those that its kind names."""


class Deed(msgspec.Struct, frozen=True):
    """What a pipeline may do now. ``share`` of what was asked for (0: paused), ``rate`` in frames per
    second; of a recording it is what is left of its speed.
    """

    share: float
    rate: float
    model: str
    recorded: bool = False


class Narrator:
    """Remembers what was told of one pipeline."""

    def __init__(self, name: str, model: str, rate: float, note: Note) -> None:
        self._name, self._note = name, note
        self._told = Deed(1.0, rate, model)
        self._at = -math.inf

    def hear(self, now: float, deed: Deed, reason: str) -> None:
        """``deed`` is from now on."""
        told = self._told
        if deed.model != told.model:
            text = f"{reason}: {told.model} -> {deed.model}" if reason else f"{told.model} -> {deed.model}"
            self._note("rung-changed", text, self._name, model=deed.model, reason=reason or "there is room")
            self._told = told = msgspec.structs.replace(told, model=deed.model)
        turn = turned(told, deed, now - self._at)
        if turn == "throttled" and not reason:  # it is only slower than it was thought to be
            return
        if turn:
            self._tell(turn, deed, reason)
            self._told, self._at = deed, now

    def _tell(self, turn: str, deed: Deed, reason: str) -> None:
        change = (
            f"{_pace(self._told)} -> {_pace(deed)}" if self._told.rate and not deed.recorded else _pace(deed)
        )
        if turn == "paused":
            self._note("paused", reason, self._name, reason=reason)
        elif turn == "resumed":
            self._note("resumed", _pace(deed), self._name)
        elif turn == "throttled":
            rate = short(deed.rate, 3)
            self._note("throttled", f"{reason}: {change}", self._name, reason=reason, rate=rate)
        else:
            self._note("eased", change, self._name, rate=short(deed.rate, 3))


def turned(told: Deed, now: Deed, seconds: float) -> Literal["", "paused", "resumed", "throttled", "eased"]:
    """Which word is due, ``seconds`` after the last. A step that nobody would notice is none."""
    if not now.share or not told.share:
        return "" if now.share == told.share else "resumed" if now.share else "paused"
    before, after = _compared(told, now)
    full = told.share >= FULL
    if now.share < FULL and after * BIG <= before:
        news = now.share * BIG <= told.share if full else seconds >= HOLD
        return "throttled" if news else ""
    if full or after <= before:
        return ""
    done = now.share >= FULL
    return "eased" if done or (after >= before * BIG and seconds >= AGAIN) else ""


def _compared(told: Deed, now: Deed) -> tuple[float, float]:
    """What people see of both: frames per second; their shares where a rate is not known or not meant. What
    a rung can is learnt while it works, so that one rate may be another share a minute later.
    """
    if told.rate and now.rate and not now.recorded:
        return told.rate, now.rate
    return told.share, now.share


def _pace(deed: Deed) -> str:
    return f"{short(deed.share * 100, 2)} % of its speed" if deed.recorded else f"{short(deed.rate, 3)} fps"


def because(state: State, vitals: Vitals, budget: Budget, target: float) -> str:
    """Why no more is allowed, as ``71.8 °C and rising, 40 s to 78 °C``; "" when nothing binds."""
    if budget.concern == "heat":
        return _heat(vitals.temperature, budget, target)
    waiting, charge = 100.0 * (vitals.pressure or 0.0), 100.0 * (vitals.charge or 0.0)
    return {
        "blind": f"{budget.blind}, and blind means hot",
        "supply": "under-voltage" if vitals.under_voltage else "the supply was too weak of late",
        "energy": f"the day's energy: {state.supply.spent:.1f} Wh are spent",
        "battery": f"the battery is at {charge:.0f} %",
        "others": f"others wait for the processor ({waiting:.0f} % of the time)",
        "quiet": "quiet hours",
    }.get(budget.concern, budget.concern)


def _heat(celsius: float | None, budget: Budget, target: float) -> str:
    if celsius is None or not math.isfinite(celsius):
        return f"near {target:g} °C"
    course = " and rising" if budget.rising > RISING else " and falling" if budget.rising < -RISING else ""
    if celsius >= target:
        return f"{celsius:.1f} °C{course}, the target is {target:g} °C"
    believed = celsius if budget.temperature is None else budget.temperature
    if abs(celsius - believed) > UNEXPECTED:
        return f"{celsius:.1f} °C, far from the {believed:.1f} °C that were expected"
    near = f"{budget.seconds:.0f} s to {target:g} °C" if budget.seconds < FAR else f"kept under {target:g} °C"
    return f"{celsius:.1f} °C{course}, {near}"
