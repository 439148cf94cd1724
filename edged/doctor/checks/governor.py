"""What will the governor go by on this board, and what will it keep to?

It looks once, as the governor does; what a sensor says is judged by the checks of temperature and voltage.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

from edged import board
from edged.board.telemetry import Telemetry
from edged.board.voltage import alarm_file
from edged.doctor.case import Case, ladder
from edged.doctor.finding import Finding
from edged.errors import ConfigError, EdgedError, UnavailableError
from edged.governor import policy, profile
from edged.governor.policy import Limits

if TYPE_CHECKING:
    from edged.board.firmware import Mailbox
    from edged.board.vitals import Board, Vitals

LOWER: Final = "0 for [governor] target is two below where the board throttles"
PSI: Final = "psi=1 on the kernel's command line: on a Pi the one in /boot/firmware/cmdline.txt; reboot"


def examine(case: Case, mailbox: Mailbox | None = None) -> Iterator[Finding]:
    """One finding for heat, one for the supply, one for others on the box; for energy, battery and profile
    where there is something to say.
    """
    wanted = case.config.governor
    try:
        with closing(_opened(case, mailbox)) as opened:
            vitals = opened.look(time.monotonic())
    except ConfigError as error:
        yield Finding("failed", error.message, fix=error.hint, facts={"board": wanted.board})
        return
    yield _heat(case, vitals)
    yield _supply(case, vitals)
    yield _others(vitals)
    if wanted.watt_hours:
        yield _energy(case, vitals)
    if vitals.charge is not None:
        yield _battery(case, vitals)
    yield _profile(case)


def _opened(case: Case, mailbox: Mailbox | None) -> Board:
    name = case.config.governor.board
    return Telemetry(case.host, mailbox) if name == "auto" else board.opened(name)


def _heat(case: Case, vitals: Vitals) -> Finding:
    """What it is to stay under, and whether there is a sensor to do so by."""
    wanted, now = case.config.governor, vitals.temperature
    facts: dict[str, Any] = {
        "enabled": wanted.enabled,
        "board": wanted.board,
        "celsius": now if now is not None and math.isfinite(now) else None,
        "limit": vitals.limit,
        "target": None,
    }
    where = "" if wanted.board == "auto" else f"{wanted.board}: "
    if not wanted.enabled:
        said = f"{where}it is switched off: heat and weak power are only watched"
        return Finding("note", said, fix="enabled = true in [governor]", facts=facts)
    if now is None:
        said = f"{where}no temperature sensor: nothing is done against heat, only against weak power"
        return Finding("note", said, fix="edged doctor temperature", facts=facts)
    target = facts["target"] = policy.aimed(vitals, Limits(target=wanted.target or None))
    if blind := ((case.status or {}).get("board") or {}).get("blind"):
        said = f"{where}it is blind, and blind means hot: {blind}"
        return Finding("warning", said, fix="edged doctor temperature", facts=facts)
    if vitals.limit is None:
        said = f"{where}keeps the processor under {target:g} °C; the board tells no limit"
        return Finding("ok", said, facts=facts)
    said = f"{where}keeps the processor under {target:g} °C; the board throttles at {vitals.limit:g} °C"
    if target > vitals.limit:
        return Finding("warning", f"{said}, which is sooner", fix=LOWER, facts=facts)
    return Finding("ok", said, facts=facts)


def _supply(case: Case, vitals: Vitals) -> Finding:
    """Who would tell of under-voltage."""
    alarm = case.config.governor.board == "auto" and alarm_file(case.host.sys) is not None
    witnesses = [
        name
        for name, there in (
            ("the firmware", vitals.word is not None),
            ("the kernel's alarm", alarm),
            ("a meter", vitals.voltage is not None),
        )
        if there
    ]
    facts = {"witnesses": witnesses, "under_voltage": vitals.under_voltage, "volts": vitals.voltage}
    if vitals.under_voltage is not None:
        told = " and ".join(witnesses) or "the board"
        return Finding("ok", f"{told} would tell of under-voltage", "supply", facts=facts, minor=True)
    mailbox = case.host.place("dev/vcio")
    with suppress(OSError):
        if case.host.pi() and not case.account.may(mailbox.stat(), os.R_OK | os.W_OK):
            fix = f"sudo adduser {case.account.name} video; {case.restart}"
            said = f"the user {case.account.name} may not ask the firmware about under-voltage (/dev/vcio)"
            return Finding("warning", said, "supply", fix=fix, facts=facts)
    if case.host.pi() and not case.may_be_account:
        return Finding("cannot tell", "not for this user to see", "supply", fix=case.again, facts=facts)
    said = "nothing here tells of under-voltage: a weak supply goes unnoticed"
    if not case.host.pi():
        return Finding("ok", said, "supply", facts=facts, minor=True)
    return Finding("note", said, "supply", fix="edged doctor voltage", facts=facts)


def _others(vitals: Vitals) -> Finding:
    """Whether it would notice that others wait for the processor."""
    facts = {"pressure": vitals.pressure}
    if vitals.pressure is None:
        said = "the kernel does not tell who waits (PSI): others on this box are not made way for"
        return Finding("note", said, "others", fix=PSI, facts=facts)
    return Finding("ok", "the kernel tells who waits (PSI)", "others", facts=facts, minor=True)


def _energy(case: Case, vitals: Vitals) -> Finding:
    allowed = case.config.governor.watt_hours
    facts = {"watt_hours": allowed, "watts": vitals.power}
    if vitals.power is not None:
        said = f"{allowed:g} Wh a day, metered: {vitals.power:.1f} W now"
        return Finding("ok", said, "energy", facts=facts)
    said = f"{allowed:g} Wh a day, and no meter: what is spent is estimated"
    return Finding("note", said, "energy", fix="an INA219 or INA226: docs/board.md", facts=facts)


def _battery(case: Case, vitals: Vitals) -> Finding:
    wanted = case.config.governor
    charge = vitals.charge or 0.0
    comfort, reserve = wanted.battery_comfort * 100, wanted.battery_reserve * 100
    bounds = f"all above {comfort:.0f} % or while it is charged, nothing at {reserve:.0f} %"
    said = f"{charge * 100:.0f} % charged; {bounds}"
    facts = {"charge": vitals.charge, "draining": vitals.draining}
    return Finding("ok", said, "battery", facts=facts)


def _profile(case: Case) -> Finding:
    """Whether what `edged tune` measured is there, of this board, and of these models."""
    name = case.config.governor.board
    here = (case.host.model() or case.host.system() or "unknown") if name == "auto" else name
    try:
        found = profile.load(case.host.place(case.config.daemon.state_dir), here)
    except UnavailableError as error:
        return Finding("cannot tell", error.message, "profile", fix=case.again, facts={"measured": None})
    except EdgedError as error:
        return Finding("warning", error.message, "profile", fix="sudo edged tune", facts={"measured": None})
    if found is None:
        said = "not measured by edged tune: what models cost is learnt while they work"
        return Finding("ok", said, "profile", facts={"measured": None}, minor=True)
    ladders = dict.fromkeys(one for its in case.pipelines().values() if its.ladder for one in ladder(its))
    models = case.models()
    unmeasured = [one for one in ladders if not found.times(one, models[one].file)]
    facts = {"measured": found.measured, "unmeasured": unmeasured}
    if unmeasured:
        said = f"measured {found.measured}, but not {', '.join(unmeasured)}"
        return Finding("note", said, "profile", fix="sudo edged tune", facts=facts)
    return Finding("ok", f"measured {found.measured}", "profile", facts=facts, minor=True)
