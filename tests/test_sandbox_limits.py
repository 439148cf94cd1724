"""What a sandbox counts and how it is put together, in processes of their own: here it cannot be undone.

That a real worker is locked is seen in test_sandbox; without this one would look no different.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from emulation import native

from edged import claims, wall, warden
from edged.config.shape import Model, Pipeline, Synthetic
from edged.worker.sandbox import landlock, limits, outlook, process, seccomp

MB = 1 << 20


def alone(deed: str) -> str:
    """What a program says in a process of its own, that none is left behind."""
    words = [sys.executable, "-I", "-c", textwrap.dedent(deed)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- limits


@native("the emulator's own memory would be counted")
def test_memory_is_counted_as_the_kernel_counts_it() -> None:
    """proc(5): of ``status``, VmData and VmStk; RLIMIT_DATA is held against these."""
    told = {
        line.partition(":")[0]: int(line.split()[1]) << 10
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(("VmData", "VmStk", "VmSize"))
    }
    found = limits.data_held()
    assert abs(found - told["VmData"] - told["VmStk"]) < 4 * MB and found < told["VmSize"]


@native("the emulator's own memory would be counted")
def test_what_is_held_already_is_none_of_the_growth() -> None:
    said = alone(
        """
        from edged.worker.sandbox import limits
        held = bytearray(256 << 20)
        limits.bound(64 << 20, 64)
        for size in (32, 128):
            try:
                bytearray(size << 20)
                print("yes")
            except MemoryError:
                print("no")
        """
    )
    assert said.split() == ["yes", "no"]


@native("the emulator's own threads would be counted")
def test_threads_are_those_of_the_whole_machine() -> None:
    """So many at least as can be seen from here, and one more for each that begins."""
    seen = sum(len(list(one.glob("task/[0-9]*"))) for one in Path("/proc").glob("[0-9]*"))
    assert limits.threads_here() > seen / 2
    stop = threading.Event()
    crowd = [threading.Thread(target=stop.wait) for _ in range(200)]
    before = limits.threads_here()
    for one in crowd:
        one.start()
    among_them = limits.threads_here()
    stop.set()
    for one in crowd:
        one.join()
    assert 100 < among_them - before < 10_000


def test_a_worker_may_have_as_many_threads_more_as_the_machine_can_bear() -> None:
    said = alone(
        """
        import resource
        from edged.worker.sandbox import limits
        limits.threads_here = lambda: 1000
        limits.bound(64 << 20, 64)
        print(*resource.getrlimit(resource.RLIMIT_NPROC))
        """
    )
    most = 1000 + 512
    ours = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    least = most if ours == resource.RLIM_INFINITY else min(ours, most)
    assert said == f"{least} {least}"


def test_a_limit_that_is_lower_already_stays() -> None:
    """Nobody but root may raise it, and root is not to either."""
    said = alone(
        """
        import resource
        from edged.worker.sandbox import limits
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 50))
        limits.bound(64 << 20, 64)
        print(*resource.getrlimit(resource.RLIMIT_NOFILE))
        """
    )
    assert said == "50 50"


def test_what_the_daemon_waits_for_itself_is_over_before_its_watchdog_bites(root: Path) -> None:
    (seconds,) = re.findall(r"^WatchdogSec=(\d+)s$", (root / "systemd/edged.service").read_text(), re.M)
    longest = claims.PATIENCE + warden.TAKEN
    assert longest < int(seconds) / 2


# --- calls that fail


@pytest.mark.parametrize("called", [landlock._called, lambda result: process.prctl(-1, result)])
def test_a_call_that_failed_is_an_error(called: object) -> None:
    with pytest.raises(OSError):
        called(-1)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("number", "found"),
    [
        (errno.ENOSYS, None),
        (errno.EINVAL, None),
        (errno.EBUSY, BlockingIOError),
        (errno.EACCES, PermissionError),
    ],
)
def test_only_a_kernel_that_has_no_filters_is_one_that_has_none(
    monkeypatch: pytest.MonkeyPatch, number: int, found: type[OSError] | None
) -> None:
    def syscall(*_: object) -> int:
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr(seccomp, "libc", SimpleNamespace(syscall=syscall))
    if found is None:
        assert seccomp._set([(6, 0, 0, 0)], 0) is None
        return
    with pytest.raises(found):
        seccomp._set([(6, 0, 0, 0)], 0)


@pytest.mark.skipif(not warden.available(), reason="this kernel, or this emulation, has no filters")
def test_a_thread_that_was_begun_before_is_in_it_too() -> None:
    """A library's, for one; as that of a worker that was taken over before its lock."""
    said = alone(
        """
        import os, threading
        from edged.worker.sandbox import process, seccomp
        said, go = [], threading.Event()
        def older():
            for _ in range(2):
                try:
                    os.close(os.open("/", os.O_RDONLY))
                    said.append(b"yes ")
                except PermissionError:
                    said.append(b"no ")
                began.set()
                go.wait()
        began = threading.Event()
        thread = threading.Thread(target=older)
        thread.start()
        began.wait()
        process.give_up_privileges()
        assert seccomp.refuse(frozenset())
        go.set()
        thread.join()
        os.write(1, b"".join(said))
        os._exit(0)
        """
    )
    assert said.split() == ["yes", "no"]


def test_an_architecture_that_is_not_known_has_no_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that is told, instead of filters by another's numbers."""
    machine = SimpleNamespace(machine="riscv64")
    monkeypatch.setattr(seccomp, "os", SimpleNamespace(uname=lambda: machine, getpid=os.getpid))
    monkeypatch.setattr(seccomp, "_set", lambda *_: pytest.fail("a filter was put on"))
    assert seccomp.enforce(frozenset()) is None and not seccomp.refuse(frozenset())
    seccomp.forbid()


def test_a_kernel_without_landlock_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers -1; then no ruleset is made, and that is told."""
    monkeypatch.setattr(landlock, "libc", SimpleNamespace(syscall=lambda *_: -1))
    assert landlock.abi() == 0 and not landlock.enforce()


def test_a_failure_of_another_kind_is_no_proof_of_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, and out of descriptors: that the folder cannot be opened says nothing."""

    def fails(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(landlock.os, "open", fails)
        assert not landlock.holds()


def test_rules_that_cannot_be_put_on_are_not_bearable_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[object] = []
    monkeypatch.setattr(threading, "excepthook", said.append)

    def fails(*_: object) -> bool:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(landlock, "enforce", fails)
    assert not landlock.bearable(("/usr",), ()) and said == []


def test_where_nothing_is_told_of_a_process_its_command_line_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where /proc is not mounted."""

    def fails(*_: object, **__: object) -> str:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    with monkeypatch.context() as patch:
        patch.setattr(process.Path, "read_text", fails)
        assert not process.hide_arguments()


@native("an emulator makes processes its own way")
def test_a_fork_that_was_let_through_is_found_and_its_child_ends_at_once() -> None:
    said = alone(
        """
        import os
        from edged.errors import RefusedError
        from edged.worker.sandbox import proof
        proof._TRIED = {"clone": proof._TRIED["clone"]}
        try:
            proof.prove()
        except RefusedError as error:
            os.write(1, error.message.encode())
        _, status = os.wait()
        os.write(1, b", the child with %d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
        """
    )
    assert said == "the worker's sandbox does not hold: `clone` was let through, the child with 1"


@native("an emulator makes some of these calls itself")
def test_each_hole_is_found() -> None:
    """Nothing is locked here: whatever is tried is let through, and each alone is enough to be told."""
    said = alone(
        """
        import os
        from edged.errors import RefusedError
        from edged.worker.sandbox import proof
        for name, arguments in list(proof._TRIED.items()):
            if not os.fork():
                proof._TRIED.clear()
                proof._TRIED[name] = arguments
                try:
                    proof.prove()
                except RefusedError as error:
                    os.write(1, error.message.rpartition("hold: ")[2].encode() + b"\\n")
                os._exit(0)
            os.wait()
        """
    )
    found = [one.strip("`").partition("`")[0] for one in said.splitlines()]
    assert found == [
        "openat",
        "socket",
        "execve",
        "clone",
        "kill",
        "ptrace",
        "memfd_create",
        "unshare",
        "mmap",
    ]


# --- what can be seen


def test_of_a_model_all_files_can_be_read_that_have_a_place() -> None:
    whole = Model(
        file="/m/a.tflite", edgetpu_file="/m/b.tflite", labels_file="/m/c.txt", delegate_library="/m/d.so"
    )
    task = wall.Assignment(wall.PROTOCOL, "p", Pipeline(source=Synthetic()), (whole,), ())
    places = {"/m/a.tflite", "/m/b.tflite", "/m/c.txt", "/m/d.so"}
    found = set(outlook.readable(task))
    assert places <= found
    named = Model(file="builtin:activity", delegate_library="lib.so")
    without = msgspec.structs.replace(task, models=(named,))
    assert not {named.file, "lib.so"} & set(outlook.readable(without)), "it would be sought where we are"


# --- what must have happened before


@pytest.mark.parametrize(
    "deed",
    [
        "raise ValueError('a secret')",
        "one = threading.Thread(target=int, args=('a secret',))\none.start()\none.join()",
        "class One:\n    def __del__(self):\n        raise ValueError('a secret')\nOne()",
    ],
)
def test_an_error_that_nobody_catches_says_nothing(deed: str) -> None:
    """A traceback would quote what was computed with; and it reads its source, which ends a locked worker."""
    for settle, silent in (("", False), ("stillness.settle()", True)):
        program = f"import threading\nfrom edged.worker.sandbox import stillness\n{settle}\n{deed}"
        words = [sys.executable, "-I", "-c", program]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == deed.startswith("raise")
        assert ("a secret" in done.stderr) != silent and (done.stdout + done.stderr == "") == silent


def test_what_is_settled_imports_nothing_and_has_its_encodings() -> None:
    """By none of the ways there are: finders, hooks of paths, the shelf."""
    said = alone(
        """
        import sys
        from edged.worker import shelf
        from edged.worker.sandbox import stillness
        stillness.settle()
        opened = []
        sys.addaudithook(lambda event, _: opened.append(event) if event in ("open", "import") else None)
        print(sys.meta_path, sys.path_hooks, shelf.shelf.closed)
        for name in ("ascii", "latin-1", "utf-8", "utf-8-sig", "idna"):
            "a".encode(name)
        print([one for one in opened if one == "open"])
        """
    )
    assert said.splitlines() == ["[] [] True", "[]"]


def test_a_worker_begins_with_one_thread_of_blas_and_ends_without_ado() -> None:
    """One for each core would idle; and what is done at an interpreter's end a locked worker may not."""
    program = """
    import atexit, os, sys, types
    def main(descriptor):
        atexit.register(os.write, 1, b" and more")
        os.write(1, f"{descriptor} {os.environ['OPENBLAS_NUM_THREADS']} {'numpy' in sys.modules}".encode())
        return 7
    sys.modules["edged.worker.loop"] = types.SimpleNamespace(main=main)
    sys.argv[1:] = ["3"]
    import runpy
    runpy.run_module("edged.worker", run_name="__main__")
    """
    words = [sys.executable, "-I", "-c", textwrap.dedent(program)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env={})
    assert (done.returncode, done.stdout, done.stderr) == (7, "3 1 False", "")
