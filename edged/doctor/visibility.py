"""What the service can see of the file system: less than the owner, and so a file that is there may not be
there.

While it runs, root can look through the service's own eyes (``/proc/PID/root``). Else the unit's words
decide.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from edged.doctor.case import Case
from edged.doctor.service import Unit

HOMES: Final = ("/home", "/root", "/run/user")
TEMPORARY: Final = ("/tmp", "/var/tmp")
MOVE: Final = "move it to /var/lib/edged or below /srv, readable by the user {}"


def hidden(case: Case, path: str) -> str:
    """Why the service cannot see ``path``, "" when it can, as far as can be told."""
    if not case.unit.installed:
        return ""
    wanted = PurePosixPath(path)
    if case.daemon and case.daemon.pid == case.unit.pid:
        inside = case.host.proc / f"{case.daemon.pid}/root" / path.lstrip("/")
        try:
            seen = inside.exists() or not case.host.place(path).exists()
            return "" if seen else f"the running service does not see it{_because(case.unit, wanted)}"
        except OSError:
            pass  # not for this caller
    return _because(case.unit, wanted).removeprefix(": ")


def _because(unit: Unit, path: PurePosixPath) -> str:
    """The line of the unit that hides ``path``, behind a colon."""
    shown = [*_paths(unit["BindPaths"]), *_paths(unit["BindReadOnlyPaths"]), "/var/lib/edged", "/run/edged"]
    if _below(path, shown):
        return ""
    homes = {"yes": "ProtectHome=yes", "tmpfs": "ProtectHome=tmpfs"}.get(unit["ProtectHome"], "")
    covers = (
        (homes, HOMES),
        ("PrivateTmp=yes" if unit["PrivateTmp"] == "yes" else "", TEMPORARY),
        ("TemporaryFileSystem=", tuple(_paths(unit["TemporaryFileSystem"]))),
        ("InaccessiblePaths=", tuple(_paths(unit["InaccessiblePaths"]))),
    )
    for line, places in covers:
        if line and _below(path, places):
            return f": the unit hides it ({line})"
    return ""


def _paths(text: str) -> list[str]:
    """Of each "-/source:/target:options" what is seen inside."""
    pairs = (one.lstrip("-+").split(":") for one in text.split())
    return [one[1] if len(one) > 1 and one[1].startswith("/") else one[0] for one in pairs]


def _below(path: PurePosixPath, places: list[str] | tuple[str, ...]) -> bool:
    return any(path.is_relative_to(one) for one in places)
