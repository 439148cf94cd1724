"""The house's plan as tables: who stands left and right of the wall, and who may import what.

Every import counts, lazy ones inside functions and those for type checkers too: a name that crosses the
wall in a signature crosses it. Only which modules are *loaded* is asked of the interpreter itself.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The plan. A module belongs to the longest name that it begins with.
SIDES = {
    # Sees raw data, keeps nothing.
    "left": {"worker"},
    # Keeps data, sees nothing raw.
    "right": {"daemon", "supervise", "reactor", "journal", "events", "clock", "aggregate", "store"}
    | {"control", "control_client", "exchange", "report", "config", "cli", "service", "__main__"}
    | {
        "board",
        "governor",
        "doctor",
        "tune",
        "changes",
        "directions",
        "inspector",
        "vocabulary",
        "covert",
        "facts",
        "today",
        "view",
        "feeds",
        "interval",
        "accelerator",
        "demise",
        "hanging",
        "hearing",
        "recess",
        "enquiry",
        "numerals",
        "quarantine",
        "standing",
        "process",
        "health",
        "herald",
        "notify",
        "reload",
        "fitting",
        "roster",
        "tally",
        "warden",
        "lender",
        "claims",
        "porter",
    },
    # Values and the wire: both may use these.
    "shared": {
        "",
        "errors",
        "nouns",
        "wall",
        "rounding",
        "series",
        "amounts",
        "units",
        "syscalls",
        "notation",
    }
    | {"config.shape"},
    # Written by us, run by the worker, listed by the command: knows neither side.
    "models": {"models"},
}
#: Which side may import which, besides itself.
MAY = {"left": {"shared", "models"}, "right": {"shared", "models"}, "shared": set(), "models": {"shared"}}

#: Who may import a device's or a heavy library: prefixes of modules. Nobody else, not even lazily.
IMPORTERS = {
    "sqlcipher3": {"store.database"},
    "pyrage": {"cli.keys"},
    "ai_edge_litert": {"worker.runtime", "models"},
    "ai_edge_litert.interpreter": {"worker.runtime"},
    "tflite_runtime": {"worker.runtime"},
    "av": {"worker.source.movie", "worker.source.sound"},
    "soxr": {"worker.source.resampling"},
    "picamera2": {"worker.source.camera"},
    "libcamera": {"worker.source.camera"},
    "linuxpy": set(),  # under the GPL
    "simplejpeg": {"worker.source.jpeg"},
    "click": {"cli"},
    "rich": {"cli", "report"},
    "numpy": {"worker", "models"},
    "asyncio": set(),
    "cv2": set(),
}

#: What the daemon never loads: each costs megabytes for years (figures in docs/adr).
NOT_IN_THE_DAEMON = ("numpy", "asyncio", "rich", "click", "av", "ai_edge_litert")


@cache
def modules() -> dict[str, Path]:
    """Module name within the package ("" is the package itself) -> file."""
    found = {}
    for path in sorted((ROOT / "edged").rglob("*.py")):
        parts = path.relative_to(ROOT / "edged").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports(name: str) -> frozenset[str]:
    """Every module that ``name`` imports, anywhere in its text; ``from x import y`` is x.y if that exists."""
    path = modules()[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {from_where(node, package, one.name) for one in node.names}
    return frozenset(found)


def from_where(node: ast.ImportFrom, package: str, what: str) -> str:
    """The module that ``from ... import what`` means; of others, a module and a name look alike."""
    base = node.module or ""
    if node.level:
        parts = ["edged", *package.split(".")] if package else ["edged"]
        base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
    deeper = f"{base}.{what}"
    return base if inside(base) is not None and inside(deeper) not in modules() else deeper


def inside(module: str) -> str | None:
    """The name within the package, None for somebody else's module."""
    if module == "edged":
        return ""
    return module.removeprefix("edged.") if module.startswith("edged.") else None


def under(module: str, rooms: set[str]) -> bool:
    """Whether ``module`` is one of ``rooms`` or lies in one."""
    return any(module == room or (room and module.startswith(room + ".")) for room in rooms)


def side(module: str) -> str | None:
    """Where a module of the package stands."""
    fitting = [(len(room), name) for name, plan in SIDES.items() for room in plan if under(module, {room})]
    return max(fitting)[1] if fitting else None


def test_every_module_has_its_place() -> None:
    assert [name for name in modules() if side(name) is None] == []


def test_every_room_of_the_plan_is_there() -> None:
    assert {room for plan in SIDES.values() for room in plan} <= set(modules())


@pytest.mark.parametrize("here", SIDES)
def test_no_import_across_the_wall(here: str) -> None:
    of_this_side = [name for name in modules() if side(name) == here]
    assert of_this_side
    found = [(name, one) for name in of_this_side for one in map(inside, imports(name)) if one is not None]
    assert [(name, one) for name, one in found if side(one) not in {here, *MAY[here]}] == []


@pytest.mark.parametrize("library", IMPORTERS)
def test_one_importer_per_library(library: str) -> None:
    for name in modules():
        if any(one == library or one.startswith(library + ".") for one in imports(name)):
            assert under(name, IMPORTERS[library]), f"edged.{name} imports {library}"


def test_the_daemon_stays_small() -> None:
    program = "import sys, edged.service; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True).split()
    assert "edged.daemon" in loaded
    assert sorted(set(NOT_IN_THE_DAEMON) & set(loaded)) == []
