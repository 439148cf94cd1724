"""Do the parts fit together, and does the daemon run the version that is installed?"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any, Final, NamedTuple

from edged import __version__
from edged.doctor import service
from edged.doctor.case import INSTALLED, Case
from edged.doctor.finding import VERDICTS, Finding, Verdict

PARTS: Final = ("ai-edge-litert", "tflite-runtime", "numpy", "sqlcipher3", "av", "picamera2")
OLDEST: Final = (3, 11)
PAGE: Final = "docs/doctor.md#delegate"
RESTART: Final = "sudo systemctl restart edged"

Versions = dict[str, str]


class Pair(NamedTuple):
    """Two parts that are known not to work together."""

    verdict: Verdict
    what: str
    why: str
    fix: str


def examine(case: Case) -> Iterator[Finding]:
    """One finding for edged's own versions, one for the board and system, one for the parts."""
    yield _edged(case)
    yield _board(case)
    yield _parts(case)


# --- edged itself


def _edged(case: Case) -> Finding:
    here = case.host.place(INSTALLED)
    versions = sorted(one.name for one in (here / "versions").glob("*") if one.is_dir())
    current = os.path.basename(os.path.realpath(here / "current")) if (here / "current").exists() else ""  # noqa: PTH119
    running = _of_process(case)
    facts = {
        "command": __version__,
        "daemon": (case.status or {}).get("version"),
        "current": current or None,
        "running": running or None,
        "installed": versions,
        "trial": (here / "trial").exists(),
    }
    said = f"edged {__version__}" + (f", the daemon {facts['daemon']}" if facts["daemon"] else "")
    if facts["trial"]:
        return Finding(
            "note",
            f"{said}; a new version is on trial",
            fix="wait a minute; journalctl -u edged-trial",
            facts=facts,
        )
    if running and current and running != current:
        return Finding(
            "warning",
            f"{said}: the daemon still runs {running}, installed is {current}",
            fix=RESTART,
            facts=facts,
        )
    if facts["daemon"] and facts["daemon"] != __version__:
        whose = (
            f"this command is another installation's ({sys.prefix})"
            if case.unit.pid
            else "it was started before"
        )
        return Finding(
            "warning", f"{said}: {whose}", fix=RESTART if case.unit.pid else "start it again", facts=facts
        )
    newest = max(versions, key=_sortable, default="")
    if current and newest and _sortable(newest)[0] > _sortable(current)[0]:
        return Finding(
            "note",
            f"{said}; {newest} is there too and not in use",
            fix="was it rolled back? journalctl -u edged-trial",
            facts=facts,
        )
    kept = f"; {len(versions)} versions kept" if len(versions) > 1 else ""
    return Finding("ok", f"{said}{kept}", facts=facts)


def _of_process(case: Case) -> str:
    """The version's folder that the daemon was started from, by its command line."""
    for one in service.arguments(case.host.proc, case.daemon.pid) if case.daemon else ():
        if found := re.match(rf"{INSTALLED}/versions/([^/]+)/", one):
            return found[1]
    return ""


def _sortable(name: str) -> tuple[tuple[int, ...], str]:
    """<version>-<digest> by its numbers."""
    version, _, digest = name.partition("-")
    return tuple(map(int, re.findall(r"\d+", version))), digest


# --- the ground


def _board(case: Case) -> Finding:
    model, system = case.host.model() or "a board that does not tell its name", case.host.system()
    systemd = service.systemd_version() if case.unit.systemd else ""
    facts = {
        "board": case.host.model(),
        "system": system,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "systemd": systemd or None,
        "uptime_s": round(case.host.uptime()),
    }
    parts = [
        model,
        system,
        f"Linux {platform.release()} {platform.machine()}",
        f"systemd {systemd.split()[0]}" if systemd else "",
    ]
    found = ", ".join(filter(None, parts))
    if platform.machine() not in ("aarch64", "x86_64"):
        return Finding(
            "warning",
            f"{found}: edged is built for 64 bits (aarch64, x86_64)",
            "board",
            facts=facts,
            fix="install the 64-bit system; a 64-bit kernel alone is not enough",
        )
    return Finding("ok", found, "board", facts=facts, minor=True)


# --- the parts


def _parts(case: Case) -> Finding:
    versions = {"python": platform.python_version(), **_installed(), **_sqlcipher(), **_debian()}
    facts: dict[str, Any] = {"parts": versions}
    if sys.version_info < OLDEST:
        return Finding(
            "failed",
            f"Python {versions['python']} is too old",
            "parts",
            fix="Python 3.11 or newer",
            facts=facts,
        )
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    bad = list(known_bad(versions, case.wants_tpu()))
    if bad:
        worst = max(bad, key=lambda one: VERDICTS.index(one.verdict))
        details = tuple(f"{one.what}: {one.why}" for one in bad if one is not worst)
        said = f"{worst.what}: {worst.why}"
        return Finding(worst.verdict, said, "parts", fix=worst.fix, details=(found, *details), facts=facts)
    if not {"ai-edge-litert", "tflite-runtime"} & versions.keys():
        return Finding(
            "failed",
            f"no TFLite runtime is installed: {found}",
            "parts",
            fix="sudo ./install.sh",
            facts=facts,
        )
    return Finding("ok", found, "parts", facts=facts, minor=True)


def _installed() -> Versions:
    found = {}
    for name in PARTS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _sqlcipher() -> Versions:
    from edged.store.database import cipher_version

    version = cipher_version()
    return {"SQLCipher": version} if version else {}


def _debian() -> Versions:
    """What comes from the distribution: libcamera and Coral's library."""
    said = service.output(
        [
            "dpkg-query",
            "-W",
            "-f",
            "${db:Status-Abbrev} ${Package} ${Version}\n",
            "libcamera0*",
            "python3-libcamera",
            "libedgetpu1-*",
        ]
    )
    found = re.findall(r"^ii\s+(\S+) (\S+)$", said, re.MULTILINE)
    short = {
        "python3-libcamera": "libcamera's Python",
        "libedgetpu1-std": "libedgetpu",
        "libedgetpu1-max": "libedgetpu",
    }
    return {
        short.get(name, "libcamera" if name.startswith("libcamera0") else name): version
        for name, version in found
    }


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: 2.11.0-rc1 -> (2, 11, 0)."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return tuple(map(int, found[1].split("."))) if found else ()


def known_bad(versions: Versions, tpu: bool) -> Iterator[Pair]:
    """Pairs that are known to crash; those of the Edge TPU only where a model wants one, and only a
    warning: the model then runs on the CPU.
    """
    old, numpy = versions.get("tflite-runtime", ""), versions.get("numpy", "")
    if old and numbers(numpy) >= (2,):
        fix = "an environment of its own: pip install 'edged[tflite-runtime]'"
        yield Pair("failed", f"tflite-runtime {old} with NumPy {numpy}", "it crashes with NumPy 2", fix)
    if old and sys.version_info >= (3, 12):
        what = f"tflite-runtime {old} with Python {platform.python_version()}"
        yield Pair(
            "warning", what, "it was never built for more than Python 3.11", "pip uninstall tflite-runtime"
        )
    library = versions.get("libedgetpu", "")
    if not tpu or not library:
        return
    if not old:
        what = f"libedgetpu {library} with LiteRT alone"
        yield Pair("warning", what, "no LiteRT is known to work with it", PAGE)
    elif wrong := _mismatch(library, old):
        yield Pair("warning", f"libedgetpu {library} with tflite-runtime {old}", wrong, PAGE)


def _mismatch(library: str, runtime: str) -> str:
    """Why the Edge TPU's library and the runtime do not go together. The community's builds say in their
    version for which runtime they are: 16.0tf2.17.1.
    """
    if built_for := re.search(r"tf(\d+(?:\.\d+)*)", library):
        return "" if numbers(built_for[1]) == numbers(runtime) else f"it was built for {built_for[1]}"
    if numbers(runtime) >= (2, 12):
        return "Coral's own library is known to work with runtimes below 2.12 only"
    return ""
