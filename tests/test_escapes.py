"""Escapes: what a worker that was taken over would try, from inside the lock that every worker puts on.

Each attempt runs twice, in a process of its own: unlocked, where it must succeed or it would prove nothing;
and as a worker of a real keeper, locked as every worker is. There it must be refused or be its last deed,
and then the daemon must know which call it was.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from emulation import EMULATED
from stage import Stage

from edged import supervise, wall, warden

sys.path.insert(0, str(Path(__file__).parent / "escape"))
import attempts
import runner
from runner import REFUSED, SUCCEEDED, Locked, Outcome, Victim

pytestmark = [
    pytest.mark.skipif(EMULATED, reason="an emulator has no seccomp filters"),
    pytest.mark.skipif(not warden.available(), reason="this kernel has no filters that ask"),
]

#: Tried in the whole worker too: with a source, a model, a reader's thread and the runtime's own.
IN_THE_WHOLE_WORKER: Final = (
    *("openat", "execve", "clone", "socket of AF_UNIX, SOCK_STREAM", "ptrace of the daemon", "kill"),
    *(
        "code_of_its_own",
        "every_descriptor",
        "from_an_older_thread",
        "python_subprocess",
        "python_connection",
    ),
    *("process_vm_readv", "all_memory", "name_that_all_can_read"),
)


class Played(NamedTuple):
    """What came of all attempts, in the three ways."""

    free: dict[str, Outcome]
    locked: dict[str, Outcome]
    whole: dict[str, Outcome]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("escapes")
    victim = Victim(folder, runner.machine_code(folder))
    names = list(attempts.ATTEMPTS)
    with ThreadPoolExecutor(2) as pool:
        free = dict(zip(names, pool.map(lambda name: runner.free(name, victim.given()), names), strict=True))
    locked, whole = Locked(), Locked(real=True)
    locked.play({name: victim.given() for name in names})
    whole.play({name: victim.given() for name in IN_THE_WHOLE_WORKER})
    yield Played(free, locked.outcomes, whole.outcomes)
    victim.close()


def is_blocked(name: str, outcome: Outcome | None) -> None:
    """Refused, or its last deed with its name told."""
    assert outcome is not None, f"{name} never ended"
    assert outcome.status != SUCCEEDED, f"{name} succeeded in a locked worker"
    if name in attempts.ANSWERED:
        assert outcome.status == REFUSED + attempts.ANSWERED[name], str(outcome)
    elif name == "a_call_of_32_bits":
        assert outcome.status == -signal.SIGSYS or not attempts.X86, str(outcome)
    elif name in attempts.HARMLESS:
        assert outcome.status > REFUSED, str(outcome)
    else:
        assert outcome.named in attempts.NAMED.get(name, (name,)), str(outcome)


@pytest.mark.parametrize("name", list(attempts.ATTEMPTS))
def test_an_attempt_is_blocked(name: str, played: Played) -> None:
    is_blocked(name, played.locked.get(name))
    free = played.free[name]
    if free.status != SUCCEEDED:
        root = " (it takes root)" if name in attempts.PRIVILEGED and os.geteuid() else ""
        pytest.skip(f"blocked ({played.locked[name]}), which shows nothing: unlocked it is {free}{root}")


@pytest.mark.parametrize("name", IN_THE_WHOLE_WORKER)
def test_an_attempt_is_blocked_in_the_whole_worker(name: str, played: Played) -> None:
    is_blocked(name, played.whole.get(name))


def test_an_upload_through_the_wall_ends_with_its_first_packet(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(runner.WORKER), "--flood"))
    keeper = stage.keep()
    stage.until(lambda: stage.events("replaced"))
    assert stage.events("wall-broken"), stage.heard.events
    assert keeper.wall_bytes < 2 * wall.LARGEST and stage.heard.ticks == []
