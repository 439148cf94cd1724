"""Does the board get enough volts, now and since boot? Only a Raspberry Pi can tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from edged.board import kernel_log, voltage
from edged.board.firmware import Mailbox
from edged.board.voltage import Word
from edged.doctor.case import Case
from edged.doctor.finding import Finding

SUPPLY: Final = "docs/doctor.md#voltage: the board's own power supply, a short thick cable, a powered USB hub"
PI5_FULL: Final = 5000  # mA that a Pi 5 wants to feed its USB ports fully
FOREIGN: Final = "may not ask the firmware (/dev/vcio)"


def examine(case: Case, mailbox: Mailbox | None = None) -> Iterator[Finding]:
    """One finding for the voltage, and on a Pi 5 one for its supply."""
    alarm = voltage.alarm(case.host.sys)
    word, core, refused = _firmware(mailbox or Mailbox(case.host.place("dev/vcio")))
    if not case.host.pi() and word is None and alarm is None:
        yield Finding(
            "ok", "not a Raspberry Pi: no firmware to ask, and nothing to mend", facts={"pi": False}
        )
        return
    events = _said(case)
    facts: dict[str, object] = {
        "pi": True,
        "throttled": None if word is None else word.word,
        "alarm": alarm,
        "core_volts": core,
        "events_since_boot": events,
        "refused": refused,
    }
    yield _judged(case, word, alarm, events, core, refused, facts)
    if (offered := voltage.supply_milliamperes(case.host.proc)) is not None:
        yield _supply(offered)


def _firmware(mailbox: Mailbox) -> tuple[Word | None, float | None, str]:
    """The word, the core's volts, and why there is no word."""
    try:
        word = Word(mailbox.throttled())
    except PermissionError:
        return None, None, FOREIGN
    except OSError as error:
        return None, None, str(error.strerror or error)
    core = None
    with suppress(OSError):
        core = round(mailbox.core_voltage(), 4)
    return word, core, ""


def _said(case: Case) -> int | None:
    """How often the kernel's driver has told of under-voltage since boot; None when it may not be asked."""
    try:
        log = kernel_log.lines(case.host.place("dev/kmsg"))
        return sum(any(one in line.text for one in voltage.SAID) for line in log)
    except OSError:
        return None


def _judged(
    case: Case,
    word: Word | None,
    alarm: bool | None,
    events: int | None,
    core: float | None,
    refused: str,
    facts: dict[str, object],
) -> Finding:
    volts = f"; core {core:.2f} V" if core else ""
    if (word and word.under_voltage) or alarm:
        return Finding("failed", f"under-voltage now: below 4.63 V{volts}", fix=SUPPLY, facts=facts)
    if events or (word and word.under_voltage_before):
        times = f", {events} times by the kernel's log" if events else ""
        return Finding("warning", f"under-voltage since boot{times}; not now{volts}", fix=SUPPLY, facts=facts)
    if word is None and alarm is None:
        return Finding(
            "cannot tell",
            f"this user {refused}" if refused == FOREIGN else f"the firmware: {refused}",
            fix=f"{case.again}, or join the group video",
            facts=facts,
        )
    if word and word.slowed:
        fix = "edged doctor temperature; voltage is fine"
        return Finding(
            "warning",
            f"slowed down by the firmware now, and not for lack of volts{volts}",
            fix=fix,
            facts=facts,
        )
    since = "" if events is None and word is None else " nor since boot"
    unseen = " (before the last 2 s only root can see)" if events is None and alarm is not None else ""
    return Finding("ok", f"no under-voltage now{since}{unseen}{volts}", facts=facts)


def _supply(offered: int) -> Finding:
    facts = {"milliamperes": offered}
    if offered >= PI5_FULL:
        return Finding("ok", f"the supply gives {offered / 1000:g} A", "supply", facts=facts, minor=True)
    return Finding(
        "note",
        f"the supply says {offered / 1000:g} A: all USB devices together get 0.6 A, not 1.6 A",
        "supply",
        fix="a 5 V 5 A supply, if a USB camera or a Coral is plugged in",
        facts=facts,
    )
