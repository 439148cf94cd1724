"""Escapes: what a worker that was taken over would try, from inside the lock that every worker puts on.

Each attempt runs twice, in a process of its own: unlocked, where it must succeed or it would prove nothing;
and as a worker of a real keeper, locked as every worker is. There it must be refused or be its last deed,
and then the daemon must know which call it was.
"""

from __future__ import annotations

import errno
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
from edged.worker.sandbox import calls, landlock

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
    """What came of the attempts: unlocked, locked, in the whole worker, before its lock."""

    free: dict[str, Outcome]
    locked: dict[str, Outcome]
    whole: dict[str, Outcome]
    narrow: dict[str, Outcome]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("escapes")
    victim = Victim(folder, runner.machine_code(folder))
    names = list(attempts.ATTEMPTS)
    with ThreadPoolExecutor(2) as pool:
        free = dict(zip(names, pool.map(lambda name: runner.free(name, victim.given()), names), strict=True))
    locked, whole, narrow = Locked(), Locked("--real"), Locked("--narrow")
    locked.play({name: victim.given() for name in names})
    whole.play({name: victim.given() for name in IN_THE_WHOLE_WORKER})
    narrow.play({name: victim.given() for name in BEFORE_THE_LOCK})
    yield Played(free, locked.outcomes, whole.outcomes, narrow.outcomes)
    victim.close()


#: Made before the lock it leads nowhere, and what is asked about later must not be refused already.
LATER: Final = "socket of AF_UNIX, SOCK_STREAM"
#: What must not be possible while a model is opened either, before the lock: by then a frame may have been
#: seen.
#: (The rest is what opening takes, or leads nowhere; docs/security.md.)
BEFORE_THE_LOCK: Final = (
    *("open", "creat", "openat", "openat2", "openat of a file without a name", "openat of shared memory"),
    *("mkdir", "mknodat", "linkat", "symlinkat", "renameat2", "unlinkat", "truncate", "python_open"),
    *("openat of its own memory", "openat of the daemon's memory", "python_shared_memory", "mq_open"),
    *(
        "execve",
        "execveat",
        "memfd_and_exec",
        "fork",
        "clone",
        "clone_of_another_kind",
        "clone3",
        "python_fork",
    ),
    *("python_subprocess", "python_posix_spawn", "python_system", "python_exec", "io_uring_setup", "mount"),
    *("ptrace of the daemon", "process_vm_readv", "process_vm_writev", "descriptor_of_the_daemon"),
    *("python_abstract_socket", "python_connection", "python_asyncio", "python_url", "python_datagram"),
    *(name for name in attempts.ATTEMPTS if name.startswith("socket of") and name != LATER),
    *("socketpair", "socket_with_a_path", "datagram_to_a_path", "message_to_a_path", "datagram_of_a_pair"),
    *("name_of_a_socket", "name_of_the_wall", "listener_on_this_machine", "listener_on_the_network"),
    "connection_by_its_first_packet",
    *("shmget", "semget", "msgget", "add_key", "keyctl", "setxattr", "fchmodat", "utimensat", "fchmod"),
)
REFUSALS: Final = (errno.EPERM, errno.EACCES, errno.ENOSYS)
#: Refused before the lock, and so not asked about after it.
QUIET: Final = frozenset(rule.name for rule in calls.before())


def is_blocked(name: str, outcome: Outcome | None, whole: bool = False) -> None:
    """Refused, or its last deed with its name told."""
    assert outcome is not None, f"{name} never ended"
    assert outcome.status != SUCCEEDED, f"{name} succeeded in a locked worker"
    if name in attempts.ANSWERED:
        assert outcome.status == REFUSED + attempts.ANSWERED[name], str(outcome)
    elif name == "a_call_of_32_bits":
        assert outcome.status == -signal.SIGSYS or not attempts.X86, str(outcome)
    elif whole and QUIET & {*attempts.NAMED.get(name, (name,))}:
        assert outcome.status == REFUSED + errno.EPERM or outcome.named, str(outcome)
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
    is_blocked(name, played.whole.get(name), whole=True)


@pytest.mark.parametrize("name", BEFORE_THE_LOCK)
def test_an_attempt_is_blocked_before_the_lock(name: str, played: Played) -> None:
    if not landlock.abi():
        pytest.skip("this kernel has no Landlock: nothing of this is promised")
    outcome = played.narrow.get(name)
    assert outcome is not None and outcome.status - REFUSED in REFUSALS, str(outcome)


def test_an_upload_through_the_wall_ends_with_its_first_packet(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(runner.WORKER), "--flood"))
    keeper = stage.keep()
    stage.until(lambda: stage.events("replaced"))
    assert stage.events("wall-broken"), stage.heard.events
    assert keeper.wall_bytes < 2 * wall.LARGEST and stage.heard.ticks == []
