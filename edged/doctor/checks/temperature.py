"""Can the board's temperature be read, and how far is it from where the board slows down?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edged.board.thermal import Zone, candidates, hottest, limit_of, zones
from edged.doctor.case import Case
from edged.doctor.finding import Finding

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
