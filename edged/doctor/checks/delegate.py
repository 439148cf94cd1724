"""The Edge TPU: is one plugged in, may the service use it, and is its library one that works with the
runtime?
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from edged.board.attribute import text
from edged.doctor.case import Case, ladder
from edged.doctor.finding import Finding, Progress
from edged.doctor.trial import ask

PATIENCE: Final = 15.0  # seconds
LIBRARY: Final = "libedgetpu.so.1"
#: USB identities: as it comes up, and once its firmware is loaded.
USB: Final = {"1a6e:089a": "waiting for its firmware", "18d1:9302": "ready"}
PCI: Final = "0x1ac1:0x089a"
PAGE: Final = "docs/doctor.md#delegate"


class Device(NamedTuple):
    """One Edge TPU: its node, and what it is like."""

    node: Path
    what: str


def examine(case: Case) -> Iterator[Finding | Progress]:
    """One finding for the devices, and if a model wants one, one for the library and one for the pair."""
    wanted = [name for name, one in case.models().items() if one.edgetpu_file and one.delegate != "cpu"]
    found = [*_usb(case), *_pcie(case)]
    facts = {"wanted": wanted, "devices": [{"node": str(one.node), "what": one.what} for one in found]}
    yield _devices(case, wanted, found, facts)
    if wanted:
        yield Progress("the Edge TPU's library")
        yield _library(case, wanted)
        yield from _at_work(case, wanted)


def _usb(case: Case) -> Iterator[Device]:
    for folder in sorted((case.host.sys / "bus/usb/devices").glob("*")):
        state = USB.get(f"{text(folder / 'idVendor')}:{text(folder / 'idProduct')}")
        if state:
            bus, number = (text(folder / name).zfill(3) for name in ("busnum", "devnum"))
            speed = text(folder / "speed")
            slow = (
                f", at {speed} Mbit/s: a blue USB 3 port is faster"
                if speed.isdigit() and int(speed) < 5000
                else ""
            )
            yield Device(Path(f"/dev/bus/usb/{bus}/{number}"), f"USB, {state}{slow}")


def _pcie(case: Case) -> Iterator[Device]:
    drivers = sorted((case.host.sys / "class/apex").glob("apex_*"))
    for one in drivers:
        milli = text(one / "temp")
        warm = f", {int(milli) / 1000:.0f} °C" if milli.isdigit() else ""
        yield Device(Path("/dev") / one.name, f"PCIe{warm}")
    if drivers:
        return
    for folder in sorted((case.host.sys / "bus/pci/devices").glob("*")):
        if f"{text(folder / 'vendor')}:{text(folder / 'device')}" == PCI:
            yield Device(Path(), "PCIe, without a driver (gasket-dkms)")


def _devices(case: Case, wanted: list[str], found: list[Device], facts: dict[str, Any]) -> Finding:
    listed = "; ".join(one.what for one in found)
    if not wanted:
        if found:
            return Finding(
                "note",
                f"an Edge TPU is here and no model uses it: {listed}",
                facts=facts,
                fix="edged models list; then edgetpu_file in [models]",
            )
        return Finding("ok", "none is here and none is wanted", facts=facts)
    if not found:
        said = f"no Edge TPU is here; {', '.join(wanted)} runs on the CPU instead"
        return Finding(
            "warning", said, fix=f"plug it in, or take edgetpu_file out of the config; {PAGE}", facts=facts
        )
    without = [one for one in found if one.node == Path()]
    if len(without) == len(found):
        return Finding(
            "warning",
            f"an Edge TPU on PCIe has no driver; {', '.join(wanted)} runs on the CPU",
            facts=facts,
            fix=PAGE,
        )
    return _permitted(case, [one for one in found if one not in without], listed, facts)


def _permitted(case: Case, found: list[Device], listed: str, facts: dict[str, Any]) -> Finding:
    """Whether the service's user may open one; by modes alone, for opening a Coral may reset it."""
    for one in found:
        try:
            about = case.host.place(one.node).stat()
        except OSError:
            continue
        if case.account.may(about, os.R_OK | os.W_OK):
            return Finding("ok", listed, facts=facts)
    group = "plugdev" if "usb" in str(found[0].node) else "apex"
    fix = f"sudo adduser {case.account.name} {group}; Coral's udev rules (libedgetpu1-std); plug it in anew"
    return Finding(
        "warning",
        f"{listed}; the user {case.account.name} may not open {found[0].node}",
        fix=fix,
        facts=facts,
    )


def _library(case: Case, wanted: list[str]) -> Finding:
    name = next(
        (case.models()[one].delegate_library for one in wanted if case.models()[one].delegate_library),
        LIBRARY,
    )
    found = ask(case, "library", PATIENCE, name=name)
    facts = {"library": name, **found.facts}
    if found.refused:
        return Finding(
            "warning",
            f"{name} cannot be loaded: {found.refused}",
            "library",
            facts=facts,
            fix=f"sudo apt install libedgetpu1-std, from Coral's repository; {PAGE}",
        )
    if not found.facts["delegate"]:
        return Finding("warning", f"{name} is no TFLite delegate", "library", fix=PAGE, facts=facts)
    return Finding(
        "ok", f"{name}: {found.facts['version'] or 'it does not tell its version'}", "library", facts=facts
    )


def _at_work(case: Case, wanted: list[str]) -> Iterator[Finding]:
    """What the daemon says: the only one that may try, as a second user disturbs the first."""
    for name, pipeline in case.pipelines().items():
        status = case.pipeline_status(name)
        now = (status.get("course") or {}).get("model", pipeline.model)
        if not set(wanted).intersection(ladder(pipeline)) or not status.get("delegate"):
            continue
        if now not in wanted:
            yield Finding("ok", f"is on {now} now, which is for the CPU", name, facts={"model": now})
            continue
        facts = {"delegate": status["delegate"], "cpu_because": status["cpu_because"]}
        if status["delegate"] == "edgetpu":
            yield Finding("ok", f"runs on it ({status['runtime']})", name, facts=facts)
        else:
            yield Finding("warning", f"runs on the CPU: {status['cpu_because']}", name, fix=PAGE, facts=facts)
