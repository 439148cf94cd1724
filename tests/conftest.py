"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from delegates import library  # noqa: F401 - a fixture
from emulation import EMULATED, skip_files
from stage import Stage

ROOT = Path(__file__).parent.parent
#: Where several run at once (install.sh --test) these begin, in this order: what takes a minute, most of it
#: waiting, and begins last ends alone.
LONGEST = (
    *("test_canary.py", "test_mutants.py", "test_box.py", "test_governor.py", "test_rotation.py"),
    *("test_install_rooms.py", "test_tune.py", "test_service.py", "test_soak.py", "test_escapes.py"),
    *("test_worker_faults.py", "test_cli_demo.py", "test_numbers.py"),
)
#: Somebody else's package with its own tests: test_decoder_package.py installs it and runs them.
collect_ignore = ["decoder_package"]

# A shell that starts us in the background has us ignore Ctrl-C, and every program that we start would too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

if find_spec("hypothesis"):
    import hypothesis

    # The same examples each time: a change is judged by what it changes. EDGED_EXPLORE=1 looks for others.
    same = not os.environ.get("EDGED_EXPLORE")
    # An emulator is slow: that is no fault of a test's.
    slow = [hypothesis.HealthCheck.too_slow] if EMULATED else []
    hypothesis.settings.register_profile(
        "edged", derandomize=same, deadline=None if EMULATED else 200, suppress_health_check=slow
    )
    hypothesis.settings.load_profile("edged")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What cannot run here says so; what takes long comes first where others run beside it."""
    skip_files(items)
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = {name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models and media, which a checkout may lack."""
    folder = Path(os.environ.get("EDGED_SHARED", ROOT.parent / "shared"))
    if not (folder / "models").is_dir():
        pytest.skip(f"the folder of real models and media is not here ({folder}); EDGED_SHARED names it")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Where real workers are kept, without a daemon."""
    one = Stage()
    yield one
    one.end()


@pytest.fixture(params=["litert", "tflite-runtime"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each TFLite runtime in turn; one that is not installed here is skipped."""
    from edged.worker.runtime.interpreter import installed

    if request.param not in installed():
        pytest.skip(f"the runtime {request.param} is not installed here")
    return str(request.param)
