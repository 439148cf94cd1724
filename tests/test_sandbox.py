"""The sandbox of a real worker: what the kernel says of it, what the daemon asks of it, and what becomes of
one that breaks out, does not prove itself, or pretends.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from stage import Stage

from edged import claims, supervise, wall, warden
from edged.config.shape import Model, Pipeline, Synthetic
from edged.errors import WallError
from edged.process import Confinement
from edged.supervise import Keeper
from edged.wall import WITNESSED
from edged.worker import sandbox
from edged.worker.reader import AHEAD, Reader
from edged.worker.runtime import open_network
from edged.worker.sandbox import landlock, outlook
from edged.worker.sandbox import limits as limiting
from edged.worker.sandbox import process as attributes
from edged.worker.source import Want, opened

filters = pytest.mark.skipif(
    not warden.available(), reason="this kernel, or this emulation, has no filters that ask"
)
landlocked = pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")


def status(pid: int, thread: int | str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/task/{thread}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@pytest.fixture
def at_work(stage: Stage) -> Keeper:
    keeper = stage.keep()
    stage.until(lambda: stage.heard.count("p") >= 1)
    return keeper


@filters
def test_every_thread_is_locked_and_the_daemon_was_asked(at_work: Keeper) -> None:
    threads = [one.name for one in Path(f"/proc/{at_work.pid}/task").iterdir()]
    assert len(threads) > 1
    its, ours = (status(pid, pid) for pid in (at_work.pid, os.getpid()))
    if "Seccomp_filters" in its:  # Linux 5.9 and later
        assert int(its["Seccomp_filters"]) == int(ours["Seccomp_filters"]) + warden.OWN_FILTERS
    for thread in threads:
        found = status(at_work.pid, thread)
        assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")
        assert found.get("Seccomp_filters") == its.get("Seccomp_filters"), (
            "begun before the lock, and not in it"
        )
    assert set(WITNESSED) <= set(at_work._hearing.warden.seen)
    assert at_work.ready is not None and not {"seccomp", "notification"} & set(at_work.ready.lacking)


@filters
def test_its_limits_are_hard(at_work: Keeper) -> None:
    lines = Path(f"/proc/{at_work.pid}/limits").read_text().splitlines()[1:]
    limits = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    for name in ("Max file size", "Max core file size", "Max locked memory", "Max msgqueue size"):
        assert limits[name] == ["0", "0"]
    for name in ("Max open files", "Max data size", "Max processes"):
        soft, hard = limits[name]
        assert soft == hard != "unlimited"
    assert int(limits["Max open files"][0]) <= 256
    its = status(at_work.pid, at_work.pid)
    held = sum(int(its[name].split()[0]) for name in ("VmData", "VmStk")) << 10
    assert int(limits["Max data size"][0]) <= held + (640 << 20), "and some of it was given back meanwhile"
    ours = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = limiting.threads_here() + limiting.THREADS + 1000  # others come and go meanwhile
    assert int(limits["Max processes"][0]) <= (most if ours == resource.RLIM_INFINITY else min(ours, most))


@filters
def test_it_holds_nothing_open_but_the_wall(at_work: Keeper) -> None:
    folder = Path(f"/proc/{at_work.pid}/fd")
    try:
        held = {int(one.name): str(one.readlink()) for one in folder.iterdir()}
    except PermissionError:
        pytest.skip("only root may look into a worker that is locked")
    assert {held.pop(number) for number in (0, 1, 2)} == {"/dev/null"}
    assert held.pop(3).startswith("socket:")
    assert [one for one in held.values() if not one.endswith((".tflite", "anon_inode:[eventpoll]"))] == []


#: A worker that has kept its listener, and a question that it answered itself between two calls of ours.
STOLEN = """
import os, select, signal, socket, time, types
from edged import wall, warden
from edged.worker.sandbox import process, seccomp
ours, theirs = wall.pair()
if not (child := os.fork()):
    os.dup2(theirs.fileno(), 3)
    channel = wall.Channel(socket.socket(fileno=3), wall.Down)
    process.give_up_privileges()
    channel.send_with(wall.Watched(), seccomp.enforce(frozenset()))
    time.sleep(60)
class Says:
    def register(self, *_): pass
    def poll(self, _): return [(0, select.POLLIN)]
warden.select = types.SimpleNamespace(poll=Says, POLLIN=select.POLLIN)
nobody = types.SimpleNamespace(on_readable=lambda *_: None, forget=lambda *_: None)
one = warden.Warden(nobody, lambda attempt: print(attempt.name))
channel = wall.Channel(ours, wall.Up)
channel.wait(30)
channel.receive(lending=True)
one.take(channel)
one._asked()
print(one.fileno())
os.kill(child, signal.SIGKILL)
"""


@filters
def test_one_that_takes_questions_away_keeps_nobody_waiting() -> None:
    """The kernel lets everybody wait who asks it for a question, until there is one."""
    assert alone(STOLEN).split() == ["ioctl", "-1"]


LOCKING = """
import ctypes, os, socket, sys, time
from edged import wall
from edged.worker import sandbox
from edged.worker.sandbox import Wanted, calls, process, proof, seccomp
def lock(*given):
    process.give_up_privileges()
    seccomp.forbid()  # as every worker, long before
    return sandbox.lock(*given)
end = socket.socket(fileno=int(sys.argv[1]))
channel = wall.Channel(end, wall.Down)
task = channel.receive()
def hand_over(listener):
    channel.send_with(wall.Watched(), listener)
def ready(*lacking):
    channel.send(wall.Ready(10.0, 96, 96, "evil", "cpu", "", lacking))
"""

Began = Callable[[str], Keeper]


@pytest.fixture
def begun(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Began:
    """A keeper of a worker with another program."""

    def begin(deed: str) -> Keeper:
        script = tmp_path / "hostile.py"
        script.write_text(LOCKING + textwrap.dedent(deed) + "\ntime.sleep(60)\n")
        monkeypatch.setattr(supervise, "COMMAND", (sys.executable, str(script)))
        monkeypatch.setattr(supervise, "BACKOFF_FIRST", 60.0)
        keeper = stage.keep()
        stage.until(lambda: keeper.restarts == 1)
        return keeper

    return begin


@filters
@pytest.mark.parametrize(
    ("deed", "name"),
    [
        ("open('/etc/hostname')", "openat"),
        ("socket.socket(socket.AF_UNIX)", "socket"),
        ("os.setsid()", "setsid"),
        ("os.execv('/bin/true', ['true'])", "execve"),
        ("os.kill(1, 0)", "kill"),
        ("os.memfd_create('x')", "memfd_create"),
        ("ctypes.CDLL(None).mmap(None, 4096, 7, 0x22, -1, 0)", "mmap"),
        ("ctypes.CDLL(None).syscall(999)", "call 999"),
        ("ctypes.CDLL(None).syscall(0x30494331)", "a call that is none"),
    ],
)
def test_the_first_forbidden_call_is_the_last_and_its_name_is_told(
    begun: Began, stage: Stage, deed: str, name: str
) -> None:
    keeper = begun(f"lock(Wanted(), hand_over)\nready()\n{deed}\nopen('/tmp/it-went-on', 'w')")
    assert stage.events("worker-broke-out") == [f"its worker tried `{name}`, which it may not"]
    assert not keeper.alive and f"`{name}`" in keeper.why


@filters
@pytest.mark.parametrize(
    ("deed", "rule"),
    [
        ("ready()", "it is not locked"),
        ("ready('landlock')", "it is not locked"),
        ("ready('seccomp')", "has no filters, and it has"),
        ("ready('notification')", "has no filters that ask, and it has"),
        (
            "process.give_up_privileges()\nseccomp.forbid()\nready('notification')",
            "no filters that ask, and it has",
        ),
        (
            "proof.prove = lambda: None\nlock(Wanted(), hand_over)\nready()",
            "did not prove that it is locked: openat",
        ),
        ("channel.send(wall.Watched())", "handed nothing over"),
        ("hand_over(0)", "no listener"),
        (
            "process.give_up_privileges()\nhand_over(seccomp.enforce(frozenset()))\nhand_over(0)",
            "no listener",
        ),
    ],
)
def test_one_that_pretends_is_ended(begun: Began, stage: Stage, deed: str, rule: str) -> None:
    begun(deed)
    assert rule in stage.events("wall-broken")[0]


@landlocked
@filters
def test_one_that_says_its_kernel_has_no_landlock_is_ended(begun: Began, stage: Stage) -> None:
    begun("lock(Wanted(), hand_over)\nready('landlock')")
    assert "has no Landlock, and it has" in stage.events("wall-broken")[0]


@filters
@pytest.mark.parametrize(
    ("deed", "rule"),
    [
        ("ready('notification')", "not locked, the kernel says"),
        ("process.give_up_privileges()\nready('notification')", "not locked, the kernel says"),
        ("process.give_up_privileges()\nseccomp.forbid()\nready('notification')", "counts"),
        (
            "process.give_up_privileges()\nhand_over(seccomp.enforce(frozenset()))\nproof.prove()\nready()",
            "counts",
        ),
        (
            """
            import threading
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            process.give_up_privileges()
            seccomp.EVERYWHERE = 0
            seccomp.forbid()
            seccomp.forbid()
            ready('notification')
            """,
            "not locked, the kernel says",
        ),
    ],
    ids=["nothing", "no filter", "one filter", "one filter that asks", "one thread is free"],
)
def test_what_the_kernel_says_of_its_filters_counts(
    begun: Began, stage: Stage, monkeypatch: pytest.MonkeyPatch, deed: str, rule: str
) -> None:
    """Where the claim itself could be true."""
    monkeypatch.setattr(claims, "_found", [frozenset({"notification"})])
    begun(deed)
    assert rule in stage.events("wall-broken")[0]


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        (Confinement(0, 2, 99), "not locked, the kernel says"),
        (Confinement(1, 1, 99), "not locked, the kernel says"),
        (Confinement(1, 2, 0), "counts 0 filters"),
        (None, "does not tell of it"),
    ],
)
def test_each_word_of_the_kernel_s_counts(told: Confinement | None, rule: str) -> None:
    class Asked:
        def confinement(self) -> Confinement:
            if told is None:
                raise FileNotFoundError
            return told

    with pytest.raises(WallError, match=rule):
        warden._check_filters(Asked())


#: A keeper in a process around which somebody listens already, as in some containers.
WITHIN = """
import ctypes, sys
sys.path[:0] = {paths!r}
from edged.worker.sandbox import bpf, process, seccomp
process.give_up_privileges()
listener = seccomp._set([(bpf._RETURN, 0, 0, bpf.ALLOW)], seccomp.EVERYWHERE | seccomp.NEW_LISTENER)
from edged import claims
from stage import Stage
stage = Stage()
{deed}
stage.end()
"""


@filters
def test_where_somebody_listens_already_it_is_locked_and_that_is_told() -> None:
    """The kernel lets one listen, and no more: then the claim is true, and the filters are counted."""
    deed = """
keeper = stage.keep()
stage.until(lambda: stage.heard.count("p") >= 1)
print(sorted(claims.found()), stage.events("sandbox-lacking"), keeper.restarts)
"""
    assert (
        alone(WITHIN.format(paths=[one for one in sys.path if one], deed=deed))
        == "['notification'] ['no notification on this kernel'] 0"
    )


@filters
def test_what_cannot_be_found_out_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_found", [])
    for command, rule in (
        ("/bin/false", "could not be found out"),
        ("/no/such/program", "cannot be looked into"),
    ):
        monkeypatch.setattr(claims, "COMMAND", (command,))
        with pytest.raises(WallError, match=rule):
            claims.check(("notification",))
    monkeypatch.setattr(claims, "COMMAND", (sys.executable, "-c", "import time; time.sleep(60)"))
    monkeypatch.setattr(claims, "PATIENCE", 0.2)
    ends: list[int] = []
    really = os.waitpid
    monkeypatch.setattr(claims.os, "waitpid", lambda *given: ends.append(really(*given)[1]))
    with pytest.raises(WallError, match="could not be found out"):
        claims.found()
    assert claims._found == [] and ends == [signal.SIGKILL]


def test_looking_into_a_claim_leaves_nothing_open_and_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for one that says something again and again."""
    says = "import os, sys, time\nfor _ in range(60): os.write(int(sys.argv[1]), b'x '); time.sleep(0.05)\n"
    ends = "os.write(int(sys.argv[1]), b'\\n')"
    monkeypatch.setattr(claims, "PATIENCE", 0.5)
    for command in (("/bin/false",), ("/no/such/program",), (sys.executable, "-S", "-c", says + ends)):
        monkeypatch.setattr(claims, "COMMAND", command)
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(WallError):
            claims._assayed()
        assert len(list(Path("/proc/self/fd").iterdir())) == before


@filters
def test_what_is_lacking_is_found_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_found", [])
    assert claims.found() == (frozenset() if landlock.abi() else {"landlock"})
    monkeypatch.setattr(claims, "COMMAND", ("/bin/false",))
    assert claims.found() == (frozenset() if landlock.abi() else {"landlock"}), "once is enough"


@filters
def test_one_that_tries_for_ever_before_it_is_ready_is_ended(begun: Began, stage: Stage) -> None:
    begun("proof.prove = lambda: None\nlock(Wanted(), hand_over)\nwhile True: ctypes.CDLL(None).kill(1, 0)")
    assert "`kill`" in stage.events("worker-broke-out")[0]


@filters
@pytest.mark.parametrize("name", ["openat", "kill", "unshare", "memfd_create"])
def test_a_worker_whose_sandbox_has_a_hole_refuses_to_work(begun: Began, stage: Stage, name: str) -> None:
    keeper = begun(
        f"""
        from edged.errors import EdgedError
        whole = calls.rules
        calls.rules = lambda *given: [*whole(*given), calls.Rule("{name}")]
        try:
            lock(Wanted(), hand_over)
        except EdgedError as error:
            channel.send(wall.Trouble(False, error.message, error.hint))
            os._exit(0)
        ready()
        """
    )
    assert f"does not hold: `{name}` was let through" in keeper.why


def alone(deed: str) -> str:
    """What a program says in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(deed)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


NARROW = """
import os, sys
from edged.config.shape import *
from edged.wall import Assignment
from edged.worker.sandbox import narrow
task = Assignment(2, "p", Pipeline(source=File(path={video!r}), measures=(Measure(kind="activity"),)),
                  (Model(file={model!r}),), ())
narrow(task)
def tried(deed):
    try:
        deed()
    except PermissionError:
        return "no"
    return "yes"
"""


def test_nothing_can_be_told_by_its_command_line(at_work: Keeper, tmp_path: Path) -> None:
    """It is memory of the process's own, and everybody reads it: ``ps``, and what keeps what that says."""
    assert at_work.ready is not None
    if "mm-map" in at_work.ready.lacking:
        pytest.skip("this kernel shows it for good (CONFIG_CHECKPOINT_RESTORE)")
    assert Path(f"/proc/{at_work.pid}/cmdline").read_bytes() == b""
    program = NARROW.format(video=str(tmp_path), model="builtin:activity")
    again = """
    import ctypes
    from edged.worker.sandbox import process
    print(process.hide_arguments(), ctypes.get_errno())
    """
    assert alone(program + textwrap.dedent(again)) == "False 1"


def test_where_less_is_told_of_a_process_its_command_line_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under qemu-user, whose ``stat`` ends early."""
    monkeypatch.setattr(attributes.Path, "read_text", lambda *_, **__: "1 (a) b) R " + "0 " * 41)
    assert not attributes.hide_arguments()


def test_a_kernel_that_shows_it_is_said_to(tmp_path: Path) -> None:
    unknown = "from edged.worker.sandbox import process\nprocess.PR_SET_MM_MAP = -1\nprint(*narrow(task))"
    program = NARROW.format(video=str(tmp_path), model="builtin:activity")
    assert alone(program.replace("narrow(task)", unknown)).split()[:1] == ["mm-map"]


@landlocked
def test_before_anything_foreign_is_opened_only_the_task_can_be_read(tmp_path: Path) -> None:
    for name in ("model.tflite", "video.mp4", "secret"):
        (tmp_path / name).write_bytes(b"x")
    deeds = (
        f"open('{tmp_path}/model.tflite').read()",
        f"open('{tmp_path}/video.mp4').read()",
        "open('/etc/hostname').read()",
        "__import__('colorsys')",
        f"open('{tmp_path}/secret').read()",
        f"open('{tmp_path}/model.tflite', 'a')",
        f"open('{tmp_path}/new', 'w')",
        f"os.rename('{tmp_path}/secret', '{tmp_path}/s')",
        f"os.listdir('{tmp_path}')",
        "os.execv('/bin/true', ['true'])",
        # A daemon's memory. Its maps and environment newer kernels show to CAP_PERFMON, which no service has.
        f"open('/proc/{os.getpid()}/mem', 'rb')",
    )
    program = NARROW.format(video=str(tmp_path / "video.mp4"), model=str(tmp_path / "model.tflite"))
    said = alone(
        program + "print(*[tried(one) for one in (" + "".join(f"lambda: {one}," for one in deeds) + ")])"
    )
    assert said.split() == ["yes"] * 4 + ["no"] * 7


def test_nothing_is_dumped_from_the_first_moment_on(tmp_path: Path) -> None:
    program = NARROW.format(video=str(tmp_path), model="builtin:activity")
    assert alone(program + "import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))") == "(0, 0)"


#: PR_GET_DUMPABLE and PR_GET_NO_NEW_PRIVS, linux/prctl.h
SELF = """
import ctypes
def about():
    return [ctypes.CDLL(None).prctl(one, 0, 0, 0, 0) for one in (3, 39)]
"""


def test_nobody_looks_into_it_before_the_lock_nor_after(tmp_path: Path) -> None:
    """Asked of the kernel within the process: it holds no root to what it tells from outside. Where a process
    becomes dumpable again meanwhile, as by a change of its user, the lock sees to it.
    """
    program = SELF + NARROW.format(video=str(tmp_path), model="builtin:activity")
    told = """
    from edged.worker import sandbox
    from edged.worker.sandbox import process, seccomp
    print(*about())
    process.prctl(process.PR_SET_DUMPABLE, 1)
    seccomp.enforce = lambda *given: print(*about(), flush=True)
    sandbox.lock(sandbox.Wanted(), print)
    os._exit(0)
    """
    assert alone(program + textwrap.dedent(told)) == "0 1\n0 1"


@filters
@pytest.mark.parametrize(
    ("model", "because", "hears"),
    [
        ("Model(file='builtin:activity')", "", False),
        ("Model(file='builtin:activity', edgetpu_file='/m')", "", True),
        ("Model(file='builtin:activity', edgetpu_file='/m', delegate='cpu')", "", False),
        ("Model(file='builtin:activity', edgetpu_file='/m')", "it aborted", False),
    ],
)
def test_only_who_looks_for_an_edge_tpu_hears_of_devices(model: str, because: str, hears: bool) -> None:
    """As libusb does, which does not begin without."""
    said = alone(
        f"""
        import socket
        from edged.config.shape import *
        from edged.wall import Assignment
        from edged.worker.sandbox import narrow
        pipeline = Pipeline(source=Synthetic())
        narrow(Assignment(2, "p", pipeline, (Model(file="builtin:activity"), {model}), (), {because!r}))
        try:
            one = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 15)
            one.bind((0, 1))
            print("hears")
        except PermissionError:
            print("no")
        """
    )
    assert said == ("hears" if hears else "no")


def test_no_path_that_can_be_read_leads_to_a_store_or_a_key() -> None:
    """A credential lies below /run, a store below /var or in somebody's home."""
    task = wall.Assignment(wall.PROTOCOL, "p", Pipeline(source=Synthetic()), (Model(file="/m/x.tflite"),), ())
    kept = ("/run/credentials/edged.service/key", "/var/lib/edged/edged.db", "/run/edged/control.sock")
    kept += ("/root/key", "/home/somebody/state/key", "/tmp/x", "/dev/shm/x", "/m/key", "/media/key")
    for one in (*map(Path, outlook.readable(task)), Path("/run/udev")):
        assert not any(Path(place).is_relative_to(one) for place in kept), one


@landlocked
def test_where_links_in_a_folder_of_pictures_lead_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"x")
    folder = tmp_path / "album"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    program = NARROW.format(video=str(folder), model="builtin:activity")
    assert alone(program + f"print(tried(lambda: open('{folder}/link').read()))") == "yes"


@landlocked
def test_rules_that_let_nothing_through_are_not_put_on() -> None:
    """As on a file system whose files are other files each time."""
    said = alone(
        """
        import os
        from edged.worker.sandbox import landlock, process
        process.give_up_privileges()
        print(landlock.bearable(("/usr", "/etc", "/no/such"), ()))
        really, landlock._allow = landlock._allow, lambda *given: None
        print(landlock.bearable(("/usr", "/etc"), ()), open("/etc/hostname").read() != "")
        """
    )
    assert said.split() == ["True", "False", "True"]


def test_rulesets_are_as_large_as_the_kernel_knows_them() -> None:
    assert [len(landlock.ruleset(one)) for one in (1, 2, 3, 4, 5, 6, 7)] == [8, 8, 8, 16, 16, 24, 24]
    # Every right: of files up to ioctl, TCP's bind and connect, abstract sockets and signals.
    assert struct.unpack("=QQQ", landlock.ruleset(6)) == (0xFFFF, 3, 3)
    assert [landlock.rights(one).bit_length() for one in (1, 2, 3, 4, 5, 6, 7)] == [
        13,
        14,
        15,
        15,
        16,
        16,
        16,
    ]


@filters
def test_nothing_is_imported_any_more_and_memory_is_bounded() -> None:
    said = alone(
        """
        import os
        from edged.worker.sandbox import Wanted, lock, proof
        proof.prove = lambda: None
        lock(Wanted(growth=64 << 20), lambda listener: None)
        try:
            import colorsys
        except ImportError:
            print("no import", end=" ", flush=True)
        try:
            bytearray(256 << 20)
        except MemoryError:
            print("no memory", flush=True)
        os._exit(0)
        """
    )
    assert said == "no import no memory"


#: A worker's lock without its filters, so that what stands behind them is seen; ``{deed}`` before it.
UNFILTERED = """
import os
from edged.errors import RefusedError
from edged.worker import sandbox
from edged.worker.sandbox import landlock, seccomp
seccomp._set = lambda *given: None
{deed}
try:
    print(sandbox.lock(sandbox.Wanted(), print).lacking, flush=True)
except RefusedError as error:
    print(error.message)
for path in ("/", "/etc/hostname", "/dev/null", "/proc/self/status"):
    try:
        os.close(os.open(path, os.O_RDONLY))
        print("opened", path, flush=True)
    except PermissionError:
        pass
os._exit(0)
"""


@landlocked
def test_without_filters_no_path_can_be_opened_either() -> None:
    assert alone(UNFILTERED.format(deed="")) == "('seccomp',)"


@landlocked
def test_a_landlock_that_holds_nothing_is_not_believed() -> None:
    said = alone(UNFILTERED.format(deed="landlock.enforce = lambda *given: True"))
    assert "does not hold: `open` was let through" in said


def test_a_kernel_that_lacks_something_is_told_of_once(stage: Stage) -> None:
    keeper = stage.keep()
    keeper._say_lacking(("landlock",))
    keeper._say_lacking(("landlock",))
    assert stage.events("sandbox-lacking") == ["no landlock on this kernel"]


@filters
def test_what_the_worker_left_open_dies_with_it(stage: Stage, at_work: Keeper) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    at_work.kill()
    stage.until(lambda: at_work.restarts == 1)
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 3, "the wall, the process, the listener"


def test_a_descriptor_that_nobody_asked_for_is_dropped() -> None:
    """Once a worker is at work the daemon takes no descriptor of it."""
    ours, theirs = wall.pair()
    channel = wall.Channel(ours, wall.Up)
    socket.send_fds(theirs, [wall.Channel(theirs, wall.Down)._encoder.encode(wall.Ended(1))], [0])
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert channel.receive() == wall.Ended(1)
    assert (channel.lent, len(list(Path("/proc/self/fd").iterdir()))) == (-1, before)
    channel.close()
    theirs.close()


def test_what_held_the_last_frame_is_overwritten_at_the_end() -> None:
    network = open_network(Model(file="builtin:activity"))
    network.infer(np.full(network.intake.shape, 77, network.intake.dtype), 0.0)
    assert network._engine.get_tensor(network._input).any()
    network.wipe()
    assert not network._engine.get_tensor(network._input).any()


def test_frames_that_nobody_took_are_overwritten() -> None:
    kept = []

    def prepare(picture: NDArray[np.uint8]) -> NDArray[np.generic]:
        kept.append(picture | 1)
        return kept[-1]

    reader = Reader(opened(Synthetic(pace="fast", held=2, fps=10.0), Want(8, 8, 1, 0.0)), prepare)
    reader.begin()
    deadline = time.monotonic() + 30.0
    while len(kept) < AHEAD:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    reader.close()
    assert not any(one.any() for one in kept)


#: How many heaps glibc has when a second thread took memory, by its own account.
TAKES = """
import ctypes, os, threading
from edged.worker.sandbox import stillness
{before}
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
thread = threading.Thread(target=lambda: libc.malloc(60000))
thread.start()
thread.join()
reading, writing = os.pipe()
stream = ctypes.c_void_p(libc.fdopen(writing, b"w"))
libc.malloc_info(0, stream)
libc.fclose(stream)
print(os.read(reading, 65536).count(b"<heap "))
"""


@pytest.mark.parametrize(
    ("before", "heaps"), [("", "2"), ("stillness.share_one_heap()", "1"), ("stillness.settle()", "1")]
)
def test_threads_share_one_heap(before: str, heaps: str) -> None:
    """For others glibc opens files when the lock is on, now and then: a worker would end for it."""
    done = subprocess.run(
        [sys.executable, "-c", TAKES.format(before=before)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == heaps


def test_a_worker_has_one_heap_from_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reached(Exception): ...

    def reached() -> None:
        raise Reached

    monkeypatch.setattr(sandbox.stillness, "share_one_heap", reached)
    with pytest.raises(Reached):
        sandbox.narrow(None)  # type: ignore[arg-type]
