"""What edged.service's sandbox refuses and what it must let through, tried from inside.

``unit.sh`` runs it in a copy of the installed unit, with the service's own interpreter, user, devices and
credentials. Nothing but the standard library. With ``--without`` it runs as the same user without the
sandbox, and every refusal must be missing: a claim that holds in any case would prove nothing.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

STATE, RUNTIME = Path("/var/lib/edged"), Path("/run/edged")
#: Sockets that a process in the sandbox may reach. Any other is a way out: systemd-resolved's answers
#: questions
#: about names, and those are packets on the network.
SOCKETS = {"/run/systemd/notify", "/run/edged/control.sock"}
JOURNAL = Path("/run/systemd/journal")
#: A device that anybody may open.
FUSE = Path("/dev/fuse")
REFUSALS = {errno.EPERM, errno.EACCES, errno.EROFS, errno.EAFNOSUPPORT, errno.ENOSYS}

LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
#: Calls that the C library has no name for: x86-64, arm64 (include/uapi/asm-generic/unistd.h).
CALLS = {
    "add_key": 217 if ARM else 248,
    "bpf": 280 if ARM else 321,
    "perf_event_open": 241 if ARM else 298,
    "userfaultfd": 282 if ARM else 323,
    "io_uring_setup": 425,
    "landlock_create_ruleset": 444,
    "seccomp": 277 if ARM else 317,
}
CLONE_NEWUSER, ADDR_NO_RANDOMIZE, PTRACE_ATTACH, UFFD_USER_MODE_ONLY = 0x10000000, 0x0040000, 16, 1
PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38

Claim = Callable[[], object]
REFUSED: dict[str, Claim] = {}
LET: dict[str, Claim] = {}


def refused(claim: Claim) -> Claim:
    """A claim that something is refused, in the words of its name."""
    REFUSED[words(claim)] = claim
    return claim


def let(claim: Claim) -> Claim:
    """A claim that something the service needs is possible."""
    LET[words(claim)] = claim
    return claim


def words(claim: Claim) -> str:
    return claim.__name__.replace("_", " ")


def fails(call: Callable[[], object]) -> None:
    """``call`` must be refused."""
    try:
        result = call()
    except OSError as error:
        assert error.errno in REFUSALS, f"it failed, but with {error}"
        return
    raise AssertionError(f"it was possible ({result})")


def syscall(name: str, *arguments: object) -> int:
    """A call by number. OSError as the kernel says."""
    return checked(LIBC.syscall(CALLS[name], *arguments))


def checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def other_process() -> subprocess.Popen[bytes]:
    """A process of the same user, as every worker is to the others."""
    return subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


# --- the network


@refused
def sockets_of_the_internet() -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        fails(lambda family=family: socket.socket(family, socket.SOCK_STREAM).close())


@refused
def sockets_of_the_kernel_and_of_virtual_machines() -> None:
    fails(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close())
    fails(lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close())


@refused
def local_sockets_of_other_services() -> None:
    found = {str(path) for path in tree(Path("/run")) if path.is_socket() and JOURNAL not in path.parents}
    assert found <= SOCKETS, f"within reach: {', '.join(sorted(found - SOCKETS))}"


# --- devices

if FUSE.exists():  # a container has none

    @refused
    def devices_of_other_classes() -> None:
        fails(lambda: os.close(os.open(FUSE, os.O_RDWR)))


# --- files


def tree(top: Path) -> Iterator[Path]:
    """Everything below ``top`` that can be seen."""
    for folder, folders, files in os.walk(top):
        yield Path(folder)
        yield from (Path(folder, name) for name in (*folders, *files))


def writable_folders() -> Iterator[Path]:
    """Every folder of the system in which this user can make a file; kernel file systems have none."""
    for folder, inner, _ in os.walk("/"):
        inner[:] = [name for name in inner if Path(folder, name) not in {Path("/proc"), Path("/sys")}]
        if os.access(folder, os.W_OK | os.X_OK):
            yield Path(folder)


@refused
def writing_anywhere_but_in_state_and_runtime() -> None:
    outside = [str(one) for one in writable_folders() if STATE not in (one, *one.parents) and one != RUNTIME]
    assert not outside, f"can be written: {', '.join(outside[:10])}"


@refused
def writing_to_the_models() -> None:
    fails(lambda: (STATE / "models/probe").write_bytes(b""))


@refused
def temporary_files() -> None:
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        fails(lambda folder=folder: tempfile.TemporaryFile(dir=folder).close())


@refused
def what_is_in_homes() -> None:
    fails(lambda: list(Path("/home").iterdir()))


@refused
def logs_and_caches_of_others() -> None:
    assert not Path("/var/log").exists() and not Path("/var/cache").exists()


@refused
def marking_a_file_as_someone_elses_program() -> None:
    path = STATE / "probe-suid"
    try:
        path.touch()
        fails(lambda: path.chmod(0o4755))
    finally:
        path.unlink(missing_ok=True)


# --- code


@refused
def running_a_program_that_was_written_here() -> None:
    path = STATE / "probe-program"
    try:
        path.write_bytes(Path("/bin/true").read_bytes())
        path.chmod(0o700)
        fails(lambda: subprocess.run([path], check=False))
    finally:
        path.unlink(missing_ok=True)


@refused
def mapping_a_library_that_was_written_here() -> None:
    for folder in (STATE, RUNTIME):
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            fails(
                lambda file=file: mmap.mmap(
                    file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC
                )
            )


@refused
def memory_that_is_written_and_run() -> None:
    fails(
        lambda: mmap.mmap(
            -1, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        ).close()
    )


@refused
def memory_that_is_run_after_it_was_written() -> None:
    page = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    fails(lambda: checked(LIBC.mprotect(address, ctypes.c_size_t(4096), mmap.PROT_READ | mmap.PROT_EXEC)))


# --- the kernel and other processes


@refused
def namespaces_of_its_own() -> None:
    child = os.fork()
    if child == 0:  # what is made is gone with the child
        os._exit(0 if LIBC.unshare(CLONE_NEWUSER) < 0 and ctypes.get_errno() in REFUSALS else 1)
    assert os.waitpid(child, 0)[1] == 0, "it was possible"


@refused
def looking_into_other_processes() -> None:
    with other_process() as other:
        try:
            fails(lambda: checked(LIBC.ptrace(PTRACE_ATTACH, other.pid, 0, 0)))
            word = ctypes.create_string_buffer(8)
            vector = (ctypes.c_size_t * 2)(ctypes.addressof(word), 8)
            fails(lambda: checked(LIBC.process_vm_readv(other.pid, vector, 1, vector, 1, 0)))
        finally:
            other.kill()


@refused
def processes_of_others() -> None:
    strangers = [path.name for path in Path("/proc").glob("[0-9]*") if path.stat().st_uid != os.getuid()]
    assert not strangers, f"{len(strangers)} can be seen"


@refused
def other_personalities() -> None:
    before = LIBC.personality(0xFFFFFFFF)
    try:
        fails(lambda: checked(LIBC.personality(ADDR_NO_RANDOMIZE)))
    finally:
        LIBC.personality(before)


@refused
def keys_of_the_kernel() -> None:
    fails(lambda: syscall("add_key", b"user", b"edged-probe", b"x", ctypes.c_size_t(1), -2))


@refused
def user_fault_handling() -> None:
    fails(lambda: os.close(syscall("userfaultfd", UFFD_USER_MODE_ONLY)))


@refused
def io_uring() -> None:
    fails(lambda: os.close(syscall("io_uring_setup", 1, ctypes.create_string_buffer(120))))


@refused
def dumping_core() -> None:
    import resource

    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0), "a core could be dumped"


# --- what must be possible


@let
def telling_whether_the_clock_is_right() -> None:
    timex = ctypes.create_string_buffer(512)  # modes = 0: only read
    checked(LIBC.adjtimex(timex))
    with suppress(FileNotFoundError):
        Path("/run/systemd/timesync").stat()
    Path("/proc/sys/kernel/random/boot_id").read_text()


@let
def telling_the_time_zone() -> None:
    if Path("/usr/share/zoneinfo").exists():
        assert Path("/usr/share/zoneinfo/Europe/Berlin").read_bytes()


@let
def telling_how_busy_the_machine_is() -> None:
    for name in ("stat", "meminfo", "cpuinfo", "loadavg", "self/stat", "self/cgroup"):
        assert Path("/proc", name).read_bytes(), name
    if Path("/proc/pressure").exists():
        assert Path("/proc/pressure/cpu").read_text().startswith("some")
    with other_process() as worker:
        assert Path(f"/proc/{worker.pid}/stat").read_bytes()
        assert Path(f"/proc/{worker.pid}/smaps_rollup").read_bytes()
        worker.kill()


@let
def looking_for_devices_and_sensors() -> None:
    for folder in ("/sys/class", "/sys/bus", "/sys/devices", "/sys/dev/char"):
        assert any(Path(folder).iterdir()), folder
    for path in Path("/sys/class").glob("thermal/thermal_zone*/temp"):
        with suppress(OSError):  # a sensor may have nothing to say
            path.read_text()
    assert any(Path("/dev").iterdir())


SENSORS = (
    "class/thermal/thermal_zone*/*",
    "class/hwmon/hwmon*/*",
    "class/power_supply/*/*",
    "class/apex/apex_*/temp",
    "bus/iio/devices/iio:device*/*",
    "devices/system/cpu/cpu[0-9]*/cpufreq/*",
)


@let
def reading_what_the_governor_goes_by() -> None:
    """Whatever anybody may read: temperatures, fans, meters, batteries, clocks, and its own group's CPU."""
    for pattern in SENSORS:
        for path in Path("/sys").glob(pattern):
            if not path.is_file() or not path.stat().st_mode & 0o004:
                continue
            try:
                path.read_bytes()
            except PermissionError as error:
                raise AssertionError(f"{path}: {error}") from error
            except OSError:  # a driver may have nothing to say
                continue
    group = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
    if group != "/":
        assert "usage_usec" in Path(f"/sys/fs/cgroup{group}/cpu.stat").read_text()


if Path("/dev/vcio").exists():  # a Raspberry Pi

    @let
    def asking_the_firmware() -> None:
        os.close(os.open("/dev/vcio", os.O_RDWR))


@let
def ending_a_worker_by_its_descriptor() -> None:
    with other_process() as worker:
        descriptor = os.pidfd_open(worker.pid)
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)


@let
def shutting_itself_in_further() -> None:
    checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    checked(LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    action = ctypes.c_uint32(0x00050000)  # SECCOMP_GET_ACTION_AVAIL of SECCOMP_RET_ERRNO
    syscall("seccomp", 2, 0, ctypes.byref(action))
    try:
        syscall("landlock_create_ruleset", None, ctypes.c_size_t(0), 1)  # which version there is
    except OSError as error:  # a kernel without it, or one that has it turned off
        assert error.errno in (errno.ENOSYS, errno.EOPNOTSUPP), f"refused: {error}"
    import resource

    resource.setrlimit(resource.RLIMIT_NPROC, resource.getrlimit(resource.RLIMIT_NPROC))


@let
def talking_to_its_workers_and_to_systemd() -> None:
    for kind in (socket.SOCK_SEQPACKET, socket.SOCK_STREAM, socket.SOCK_DGRAM):
        for end in socket.socketpair(socket.AF_UNIX, kind):
            end.close()
    assert Path("/run/systemd/notify").is_socket() and (JOURNAL / "socket").is_socket()


@let
def writing_its_state() -> None:
    for folder in (STATE, RUNTIME):
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")


@let
def callbacks_of_foreign_functions() -> None:
    """libffi makes these without memory that is both written and run."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    numbers = (ctypes.c_int * 3)(3, 1, 2)
    order = kind(lambda a, b: ctypes.c_int.from_address(a).value - ctypes.c_int.from_address(b).value)
    LIBC.qsort(numbers, ctypes.c_size_t(3), ctypes.c_size_t(4), order)
    assert list(numbers) == [1, 2, 3]


def reason(claim: Claim) -> str:
    """Why a claim does not hold, "" when it does."""
    try:
        claim()
    except (AssertionError, OSError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main(without: bool) -> int:
    """Try everything. The exit status: 0 when all is as it should be."""
    bad = 0
    for word, claims in (("refused", REFUSED), ("let through", LET)):
        for name, claim in claims.items():
            why = reason(claim)
            wrong = bool(why) != (without and word == "refused")
            bad += wrong
            print(
                f"{'FAILED' if wrong else 'ok':7}{name}: {word}{f' ({why})' if wrong and why else ''}",
                flush=True,
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main("--without" in sys.argv[1:]))
