"""The story's machines, the table at its end, and what is told when a step fails."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from box import Box
from machine import Container, Machine

LAB = Path(__file__).resolve().parents[1] / "lab"
BOXES = pytest.StashKey[dict[str, Box]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("the story's machines")
    group.addoption(
        "--container",
        action="append",
        default=[],
        metavar="NAME:ROOT:WHEELS",
        help="boot the Debian in the folder ROOT in a container; WHEELS is what it installs from",
    )
    group.addoption("--board", action="store_true", help="this very machine: it is installed on, and purged")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "essential: when this step fails, the story is over")
    config.stash[BOXES] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "machine" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("container")
        board = ["board"] if metafunc.config.getoption("board") else []
        metafunc.parametrize(
            "machine", [*wanted, *board], ids=lambda one: one.split(":")[0], indirect=True, scope="session"
        )


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Each machine in turn, up and without edged."""
    one = _board() if request.param == "board" else _container(request.param)
    try:
        one.boot()
        yield one
    finally:
        one.close()


def _board() -> Machine:
    work = Path(tempfile.mkdtemp(prefix="edged-story-", dir="/var/tmp"))
    work.chmod(0o755)
    return Machine(work, work, None)


def _container(wanted: str) -> Machine:
    name, root, wheels = wanted.split(":")
    # Beside the wheels: they are lent by hard links.
    work = Path(tempfile.mkdtemp(prefix=f"story-{name}-", dir=Path(wheels).parent))
    return Container(name, Path(root), Path(wheels), work, LAB / "nspawn.sh")


@pytest.fixture(scope="session")
def box(machine: Machine, request: pytest.FixtureRequest) -> Box:
    """The box that the story is about."""
    return request.config.stash[BOXES].setdefault(machine.name, Box(machine))


def box_of(item: pytest.Item) -> Box | None:
    """The box that a test is about."""
    found: Box | None = getattr(item, "funcargs", {}).get("box")
    return found


def pytest_runtest_call(item: pytest.Item) -> None:
    found = box_of(item)
    if found and found.broken:
        pytest.skip(f"not played: the story ended with {found.broken}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    found = box_of(item)
    if not report.failed or found is None:
        return
    if item.get_closest_marker("essential"):
        found.broken = item.name
    try:
        said = found.run(
            "systemctl status --no-pager --lines=0 edged.service edged-trial.service;"
            "journalctl --no-pager -o short-monotonic -n 25 -u edged.service -u edged-trial.service",
            check=False,
            limit=20.0,
        ).said
    except (AssertionError, OSError) as error:
        said = f"nothing: {error}"
    report.sections.append((f"what {found.machine.name} says", said))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    boxes = config.stash[BOXES]
    names = list(dict.fromkeys(name for one in boxes.values() for name in one.figures))
    if not names:
        return
    terminalreporter.section("figures")
    width = max(map(len, names))
    terminalreporter.write_line(" ".join([" " * width, *(f"{one:>22}" for one in boxes), "  wanted"]))
    for name in names:
        cells = [one.figures.get(name) for one in boxes.values()]
        wanted = next((cell.wanted for cell in cells if cell), "")
        values = [f"{cell.value if cell else '-':>22}" for cell in cells]
        terminalreporter.write_line(" ".join([f"{name:{width}}", *values, f"  {wanted}"]).rstrip())
