"""Can the board's temperature be read, and how far is it from where the board slows down?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edged.board.host import Host
from edged.board.thermal import Zone, candidates, hottest, zones
from edged.doctor.case import Case
from edged.doctor.finding import Finding

#: Where a Raspberry Pi's firmware begins to slow down, which its trip points do not tell (config.txt,
#: temp_limit).
PI_LIMIT: Final = 80.0
PI3_SOFT_LIMIT: Final = 60.0  # the 3B+ lowers its frequency here first (temp_soft_limit)
NEAR: Final = 10.0  # degrees
COOL: Final = "docs/doctor.md#temperature: a heat sink, a fan, shade, or a lower rate in the config"


def examine(case: Case) -> Iterator[Finding]:
    """One finding, with every zone in its facts."""
    found = list(zones(case.host.sys))
    zone = hottest(found)
    if zone is None or zone.celsius is None:
        yield _blind(found)
        return
    limit, why = limit_of(case.host, candidates(found))
    facts = {
        "celsius": zone.celsius,
        "zone": zone.kind,
        "limit": limit,
        "zones": [_facts(one) for one in found],
    }
    where = f"{zone.celsius:.1f} °C ({zone.kind})"
    if limit is None:
        yield Finding("ok", f"{where}; the kernel tells no limit", facts=facts)
        return
    left = limit - zone.celsius
    bounds = f"{why} at {limit:.0f} °C"
    if left <= 0:
        yield Finding("warning", f"{where}: hot, {bounds}", fix=COOL, facts=facts)
    elif left < NEAR:
        yield Finding("warning", f"{where}: {left:.1f} °C below the limit, {bounds}", fix=COOL, facts=facts)
    else:
        yield Finding("ok", f"{where}, {left:.0f} °C below the limit: {bounds}", facts=facts)


def limit_of(host: Host, found: list[Zone]) -> tuple[float | None, str]:
    """Where the board acts against heat first, and how. A Rock's hottest zone has no trip points, its
    others have.
    """
    trips = [trip for zone in found for trip in zone.trips]
    passive = [one.celsius for one in trips if one.kind == "passive"]
    grave = [one.celsius for one in trips if one.kind in ("hot", "critical")]
    limits = [(PI_LIMIT, "the firmware slows it down")] if host.pi() else []
    if "3 Model B Plus" in host.model() or "3 Model A Plus" in host.model():
        limits.append((PI3_SOFT_LIMIT, "the firmware lowers its frequency"))
    limits += [(min(passive), "the kernel slows it down")] if passive else []
    limits += [(min(grave), "the kernel switches it off")] if grave else []
    return min(limits, default=(None, ""))


def _blind(found: list[Zone]) -> Finding:
    facts: dict[str, object] = {"celsius": None, "zones": [_facts(one) for one in found]}
    if not found:
        return Finding(
            "cannot tell",
            "this machine shows no thermal zone (a container or a virtual machine has none)",
            fix="ls /sys/class/thermal; on a board, its kernel may lack the driver",
            facts=facts,
        )
    names = ", ".join(one.kind for one in found)
    return Finding(
        "warning",
        f"none of the thermal zones can be read or be the processor's: {names}",
        fix="cat /sys/class/thermal/thermal_zone*/temp; a sensor that fails counts as hot, never as cold",
        facts=facts,
    )


def _facts(one: Zone) -> dict[str, object]:
    return {
        "zone": one.kind,
        "celsius": one.celsius,
        "trips": [[trip.kind, trip.celsius] for trip in one.trips],
    }
