"""What a worker that was taken over would try. Each attempt is a function of ``Given``: it returns what it
got (anything but None), or raises ``OSError``. All of them succeed in a process that is not locked, but
for those that ``PRIVILEGED`` or a machine of its own stands in the way of.

``call`` makes a system call as bare machine code where the object was compiled, else by the C library;
those named ``python_...`` go the way that Python code would go. Nothing is imported in an attempt: a locked
worker cannot.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import os
import platform
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any, Final, NamedTuple

from edged import syscalls

libc: Final = ctypes.CDLL(None, use_errno=True)
NUMBERS: Final = syscalls.numbers(platform.machine())
AT_FDCWD: Final = -100
CREATE: Final = os.O_WRONLY | os.O_CREAT
WALL: Final = 3
PAGE: Final = 4096
X86: Final = platform.machine() == "x86_64"
#: mov eax, 42; ret / mov w0, #42; ret
CODE: Final = bytes.fromhex("b82a000000c3") if X86 else bytes.fromhex("40058052c0035fd6")


class Given(NamedTuple):
    """What attempts are given to harm. ``daemon`` is whose child this is; ``folder`` may be written to and
    holds ``there``; ``secret`` is where in the daemon's memory eight bytes stand; ``local`` is a folder
    with two sockets, ``stream`` and ``datagram``; ``tries`` is how often to try what is only refused.
    """

    daemon: int
    folder: str
    secret: int
    abstract: str
    port: int
    machine: str = ""
    user: int = 0
    tries: int = 100
    local: str = ""

    def path(self, name: str) -> bytes:
        return os.fsencode(f"{self.folder}/{name}")


Attempt = Callable[[Given], Any]
#: Takes back what an unlocked attempt did to the machine: what is given, what the call gave.
Undo = Callable[[Given, int], Any]
ATTEMPTS: dict[str, Attempt] = {}
#: Those for which a process must be root even when it is not locked.
PRIVILEGED: set[str] = set()
#: Which call the daemon is to name, where it is not the attempt's own name.
NAMED: dict[str, tuple[str, ...]] = {}
#: Answered with an errno and not fatal, because libraries ask for it and do without.
ANSWERED: dict[str, int] = {}
#: These have no need of a call that is forbidden: something else stops them.
HARMLESS: set[str] = set()


class Kept:
    """What an attacker has brought along before the lock."""

    machine: Any = None  #: the compiled object
    descriptor = -1  #: a file that stays open, as a model does; to write, as none does
    elder: Elder  #: a thread


def prepare(given: Given) -> None:
    """Before the lock."""
    if given.machine:
        Kept.machine = made = ctypes.CDLL(given.machine)
        made.raw.restype = made.old.restype = made.is_42.restype = ctypes.c_long
    Kept.descriptor = os.open(given.path("there"), os.O_RDWR)
    Kept.elder = Elder()


def call(name: str, *arguments: Any) -> int:
    """A system call; ``OSError`` when it fails."""
    values = [_word(one) for one in (*arguments, *(0,) * (6 - len(arguments)))]
    if Kept.machine is not None:
        result = int(Kept.machine.raw(ctypes.c_long(NUMBERS[name]), *values))
    else:
        libc.syscall.restype = ctypes.c_long
        result = int(libc.syscall(ctypes.c_long(NUMBERS[name]), *values))
        result = -ctypes.get_errno() if result == -1 else result
    if -4096 < result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _word(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return ctypes.c_long(value or 0)
    if isinstance(value, bytes):
        return ctypes.c_char_p(value)
    return ctypes.byref(value) if isinstance(value, ctypes.Array | ctypes.Structure) else value


def attempt(*named: str, privileged: bool = False) -> Callable[[Attempt], Attempt]:
    """Put one into the table; ``named`` are the calls that the daemon may name."""

    def put(function: Attempt) -> Attempt:
        name = function.__name__
        ATTEMPTS[name] = function
        if named:
            NAMED[name] = named
        if privileged:
            PRIVILEGED.add(name)
        return function

    return put


def simple(
    name: str, *arguments: Any, label: str = "", privileged: bool = False, undo: Undo | None = None
) -> None:
    """An attempt that is one call. An argument that is a function is made of what is given; a call that this
    architecture does not have is no attempt.
    """
    if name not in NUMBERS:
        return

    def made(given: Given) -> int:
        got = call(name, *(one(given) if callable(one) else one for one in arguments))
        if undo is not None:
            undo(given, got)
        return got

    ATTEMPTS[label or name] = made
    NAMED[label or name] = (name,)
    if privileged:
        PRIVILEGED.add(label or name)


def path(name: str) -> Callable[[Given], bytes]:
    return lambda given: given.path(name)


def daemon(given: Given) -> int:
    return given.daemon


# --- files: opened, made, linked, renamed, changed, looked at

simple("open", path("new"), CREATE, 0o600)
simple("open", b"/etc/passwd", 0, label="open to read")
simple("creat", path("new"), 0o600)
simple("openat", AT_FDCWD, path("new"), CREATE, 0o600)
simple(
    "openat", AT_FDCWD, b"/tmp", os.O_WRONLY | os.O_TMPFILE, 0o600, label="openat of a file without a name"
)
simple("openat", AT_FDCWD, b"/proc/self/mem", os.O_RDWR, label="openat of its own memory")
simple(
    "openat",
    AT_FDCWD,
    lambda g: b"/proc/%d/environ" % g.daemon,
    0,
    label="openat of the daemon's environment",
)
simple(
    "openat", AT_FDCWD, lambda g: b"/proc/%d/mem" % g.daemon, os.O_RDWR, label="openat of the daemon's memory"
)
simple("openat", AT_FDCWD, b"/proc/1/status", 0, label="openat of another's status")
SHARED: Final = b"/dev/shm/edged-escape"
simple(
    "openat",
    AT_FDCWD,
    SHARED,
    CREATE,
    0o600,
    label="openat of shared memory",
    undo=lambda *_: call("unlinkat", AT_FDCWD, SHARED, 0),
)
simple("openat2", AT_FDCWD, path("new"), struct.pack("=QQQ", CREATE, 0o600, 0), 24)
simple("mkdir", path("new"), 0o700)
simple("mkdirat", AT_FDCWD, path("new"), 0o700)
simple("mknodat", AT_FDCWD, path("new"), 0o010600, 0)
simple("link", path("there"), path("new"))
simple("linkat", AT_FDCWD, path("there"), AT_FDCWD, path("new"), 0)
simple("symlink", b"/etc/passwd", path("new"))
simple("symlinkat", b"/etc/passwd", AT_FDCWD, path("new"))
simple("rename", path("there"), path("new"))
simple("renameat", AT_FDCWD, path("there"), AT_FDCWD, path("new"))
simple("renameat2", AT_FDCWD, path("there"), AT_FDCWD, path("new"), 0)
simple("unlinkat", AT_FDCWD, path("there"), 0)
simple("truncate", path("there"), 0)
simple("fchmodat", AT_FDCWD, path("there"), 0o777)
simple("utimensat", AT_FDCWD, path("there"), None, 0)
simple("setxattr", path("there"), b"user.told", b"what was seen", 13, 0)
simple("newfstatat", AT_FDCWD, b"/etc/passwd", lambda _: ctypes.create_string_buffer(256), 0)
simple("statx", AT_FDCWD, b"/etc/passwd", 0, 0xFFF, lambda _: ctypes.create_string_buffer(512))
simple("readlinkat", AT_FDCWD, b"/proc/self/exe", lambda _: ctypes.create_string_buffer(256), 256)
simple("chdir", b"/")
simple("chroot", b"/", privileged=True)
simple("inotify_init1", 0)
simple("fanotify_init", 0, 0, privileged=True)


@attempt("openat")
def python_open(given: Given) -> Any:
    return open(f"{given.folder}/new", "wb")  # noqa: PTH123 - as people write it


@attempt("openat", "newfstatat", "mkdir")
def python_temporary_file(given: Given) -> Any:
    return tempfile.TemporaryFile(dir=given.folder)


@attempt("openat", "newfstatat")
def python_read_text(given: Given) -> Any:
    return Path("/etc/passwd").read_text()


@attempt("openat", "newfstatat", "open")
def python_listdir(given: Given) -> Any:
    return os.listdir("/")  # noqa: PTH208 - as people write it


@attempt("rename")
def python_replace(given: Given) -> Any:
    Path(given.folder, "there").rename(Path(given.folder, "new"))
    return True


@attempt("openat", "newfstatat", "lstat", "getcwd", "readlink")
def python_database(given: Given) -> Any:
    connection = sqlite3.connect(f"{given.folder}/new.db")
    connection.execute("CREATE TABLE seen (what)")
    connection.commit()
    return True


# --- programs and processes

simple("memfd_create", b"hidden", 0)
simple("memfd_secret", 0)


class _Words:
    """argv of a shell that ends as an attempt does that succeeded."""

    def __init__(self, *words: bytes) -> None:
        self.array = (ctypes.c_char_p * (len(words) + 1))(*words, None)


def shell(_: Given) -> Any:
    return _Words(b"sh", b"-c", b"exit 70").array


simple("execve", b"/bin/sh", shell, None)
simple("execveat", AT_FDCWD, b"/bin/sh", shell, None, 0)


def _of_child(pid: int) -> int:
    if pid == 0:
        os._exit(0)
    return pid


for _name, _arguments in {"fork": (), "clone": (signal.SIGCHLD, 0, 0, 0, 0)}.items():
    if _name in NUMBERS:

        def _forks(given: Given, name: str = _name, arguments: tuple[int, ...] = _arguments) -> int:
            return _of_child(call(name, *arguments))

        ATTEMPTS[_name] = _forks


@attempt("clone")
def clone_of_another_kind(given: Given) -> int:
    """A process that shares the memory, as vfork makes it, in a user namespace of its own."""
    return _of_child(call("clone", signal.SIGCHLD | 0x10000000, 0, 0, 0, 0))


@attempt()
def clone3(given: Given) -> int:
    return _of_child(call("clone3", struct.pack("=QQQQQQQQ", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64))


ANSWERED["clone3"] = 38  # ENOSYS: pthread_create asks for it first


@attempt("memfd_create")
def memfd_and_exec(given: Given) -> int:
    descriptor = call("memfd_create", b"program", 0)
    os.write(descriptor, Path("/bin/sh").read_bytes())
    return call("execveat", descriptor, b"", shell(given), None, 0x1000)


@attempt("clone", "fork", "vfork")
def python_fork(given: Given) -> Any:
    return _of_child(os.fork())


@attempt("pipe2", "clone", "fork", "vfork", "openat")
def python_subprocess(given: Given) -> Any:
    return subprocess.run(["/bin/true"], check=True)


@attempt("clone", "vfork")
def python_posix_spawn(given: Given) -> Any:
    return os.posix_spawn("/bin/true", ["true"], {})


@attempt("clone", "vfork", "fork", "rt_sigaction", "wait4")
def python_system(given: Given) -> Any:
    status = os.system("true")
    if status:
        raise OSError(1, "the shell did not run")
    return True


@attempt("execve")
def python_exec(given: Given) -> Any:
    os.execv("/bin/sh", ["sh", "-c", "exit 70"])


# --- memory that can be run


@attempt("mmap")
def mmap_writable_and_executable(given: Given) -> int:
    return call("mmap", 0, PAGE, 7, 0x22, -1, 0)


@attempt("mmap")
def mmap_executable(given: Given) -> int:
    return call("mmap", 0, PAGE, 5, 0x22, -1, 0)


@attempt("mprotect")
def code_of_its_own(given: Given) -> int:
    """Written, then made executable, then run."""
    at = call("mmap", 0, PAGE, 3, 0x22, -1, 0)
    ctypes.memmove(at, CODE, len(CODE))
    call("mprotect", at, PAGE, 5)
    return Kept.machine.is_42(ctypes.c_void_p(at)) if Kept.machine is not None else 0


@attempt("mprotect")
def mprotect_of_code(given: Given) -> int:
    """The C library's own code, made writable: a page that has been executable for long."""
    at = ctypes.cast(libc.getpid, ctypes.c_void_p).value or 0
    return call("mprotect", at & -PAGE, PAGE, 7)


simple("pkey_mprotect", lambda _: call("mmap", 0, PAGE, 3, 0x22, -1, 0), PAGE, 5, -1)
simple("personality", 0x0400000, label="personality: what is readable is executable")


@attempt("mmap")
def python_mmap(given: Given) -> Any:
    return mmap.mmap(-1, PAGE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)


# --- sockets

for _family, _kind, _protocol, _root in (
    ("AF_UNIX", socket.SOCK_STREAM, 0, False),
    ("AF_INET", socket.SOCK_STREAM, 0, False),
    ("AF_INET", socket.SOCK_DGRAM, 0, False),
    ("AF_INET", socket.SOCK_RAW, 1, True),
    ("AF_INET6", socket.SOCK_STREAM, 0, False),
    ("AF_NETLINK", socket.SOCK_RAW, 0, False),
    ("AF_PACKET", socket.SOCK_RAW, 0, True),
    ("AF_VSOCK", socket.SOCK_STREAM, 0, False),
    ("AF_ALG", socket.SOCK_SEQPACKET, 0, False),
    ("AF_BLUETOOTH", socket.SOCK_RAW, 1, False),
    ("AF_CAN", socket.SOCK_RAW, 1, False),
    ("AF_QIPCRTR", socket.SOCK_DGRAM, 0, False),
):
    _number = int(getattr(socket, _family, 42))
    _label = f"socket of {_family}, {'' if _kind < 3 else 'raw ' if _kind == 3 else ''}{_kind.name}"
    simple("socket", _number, int(_kind), _protocol, label=_label, privileged=_root)

simple("socketpair", 1, 1, 0, lambda _: ctypes.create_string_buffer(8))
simple("pipe2", lambda _: ctypes.create_string_buffer(8), 0)


def _address(text: bytes) -> bytes:
    return struct.pack("=H", 1) + text


simple("connect", WALL, lambda g: _address(b"\0" + g.abstract.encode()), lambda g: 3 + len(g.abstract))


@attempt("socket")
def python_abstract_socket(given: Given) -> Any:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.connect("\0" + given.abstract)
    return one.send(b"what was seen")


@attempt("socket")
def python_connection(given: Given) -> Any:
    return socket.create_connection(("127.0.0.1", given.port), 2)


@attempt("socket")
def python_datagram(given: Given) -> Any:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(
        b"what was seen", ("127.0.0.1", given.port)
    )


@attempt("socket")
def socket_with_a_path(given: Given) -> Any:
    """As the daemon's control socket has one."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.connect(f"{given.local}/stream")
    return one.send(b"what was seen")


@attempt("socket")
def datagram_to_a_path(given: Given) -> Any:
    """As journald and systemd listen."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    return one.sendto(b"what was seen", f"{given.local}/datagram")


@attempt("socket")
def message_to_a_path(given: Given) -> Any:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    return one.sendmsg([b"what was seen"], [], 0, f"{given.local}/datagram")


@attempt("socketpair")
def datagram_of_a_pair(given: Given) -> Any:
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return one.sendto(b"what was seen", f"{given.local}/datagram")


@attempt("socket")
def name_of_a_socket(given: Given) -> Any:
    """A hundred bytes that stand in /proc/net/unix for everybody."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.bind(f"\0{os.getpid()} what was seen".encode().ljust(100, b"."))
    return one.getsockname()


@attempt("bind")
def name_of_the_wall(given: Given) -> Any:
    """The wall's own end is a socket, too."""
    name = _address(f"\0{os.getpid()} what was seen".encode())
    return call("bind", WALL, name, len(name)) + 1


@attempt("socket")
def listener_on_this_machine(given: Given) -> Any:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    return call("listen", one.fileno(), 1) + 1


@attempt("socket")
def listener_on_the_network(given: Given) -> Any:
    return socket.create_server(("127.0.0.1", 0))


@attempt("socket")
def connection_by_its_first_packet(given: Given) -> Any:
    """TCP's fast open: a connection without a call to connect."""
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    return one.sendto(b"what was seen", 0x20000000, ("127.0.0.1", given.port))


@attempt("socket", "openat", "newfstatat", "socketpair", "epoll_create1")
def python_asyncio(given: Given) -> Any:
    return asyncio.run(asyncio.open_connection("127.0.0.1", given.port))


@attempt("socket", "openat", "newfstatat", "stat")
def python_url(given: Given) -> Any:
    return urllib.request.urlopen(f"http://127.0.0.1:{given.port}/what-was-seen", timeout=2)


@attempt("sendto")
def datagram_from_the_wall(given: Given) -> int:
    where = _address(b"\0" + given.abstract.encode())
    return call("sendto", WALL, b"what was seen", 13, 0, where, len(where))


simple("setsockopt", WALL, 1, 2, struct.pack("=i", 1), 4)
simple("getsockopt", WALL, 1, 17, lambda _: ctypes.create_string_buffer(12), struct.pack("=i", 12))
simple("shutdown", WALL, 2)

# --- other processes

SEIZE: Final = 0x4206
simple("ptrace", 0, 0, 0, 0, label="ptrace by whoever likes")
simple("ptrace", SEIZE, daemon, 0, 0, label="ptrace of the daemon")
simple("kill", daemon, signal.SIGURG)
simple("kill", 0, 0, label="kill of its group")
simple("tkill", daemon, signal.SIGURG)
simple("tgkill", daemon, daemon, signal.SIGURG)
simple("rt_sigqueueinfo", daemon, signal.SIGURG, struct.pack("=iiii", signal.SIGURG, 0, -1, 0) + bytes(112))
simple("pidfd_open", daemon, 0)
simple("setpriority", 0, daemon, 0)
simple("sched_setaffinity", daemon, 8, struct.pack("=Q", 3))
simple("sched_setscheduler", 0, 0, struct.pack("=i", 0))
simple(
    "prlimit64",
    daemon,
    resource.RLIMIT_NOFILE,
    None,
    lambda _: ctypes.create_string_buffer(16),
    label="prlimit64 of the daemon",
)
simple("kcmp", lambda _: os.getpid(), daemon, 1, 0, 0)


def _vector(at: int) -> Any:
    return (ctypes.c_uint64 * 2)(at, 8)


@attempt("process_vm_readv")
def process_vm_readv(given: Given) -> Any:
    held = ctypes.create_string_buffer(8)
    ours, theirs = _vector(ctypes.addressof(held)), _vector(given.secret)
    call("process_vm_readv", given.daemon, ours, 1, theirs, 1, 0)
    return held.raw


@attempt("process_vm_writev")
def process_vm_writev(given: Given) -> Any:
    held = ctypes.create_string_buffer(b"a secret"[:8], 8)
    ours, theirs = _vector(ctypes.addressof(held)), _vector(given.secret)
    return call("process_vm_writev", given.daemon, ours, 1, theirs, 1, 0)


@attempt("pidfd_open")
def descriptor_of_the_daemon(given: Given) -> Any:
    return call("pidfd_getfd", call("pidfd_open", given.daemon, 0), 0, 0)


@attempt("kill")
def python_kill(given: Given) -> Any:
    os.kill(given.daemon, signal.SIGURG)
    return True


@attempt("fcntl")
def signal_by_a_descriptor(given: Given) -> Any:
    """The kernel is to send the signal: to whom a descriptor is said to belong, once it is readable."""
    return [
        call("fcntl", WALL, command, value)
        for command, value in ((8, given.daemon), (10, signal.SIGURG), (4, 0x2000))
    ]


@attempt("ioctl")
def signal_by_a_request(given: Given) -> Any:
    return call("ioctl", WALL, 0x8901, struct.pack("=i", given.daemon))


# --- the kernel's own rooms

simple("add_key", b"user", b"told", b"what was seen", 13, -2)
simple("keyctl", 0, -2, 1)
simple("io_uring_setup", 4, lambda _: ctypes.create_string_buffer(120))
simple("io_setup", 4, lambda _: ctypes.create_string_buffer(8))
simple("bpf", 0, struct.pack("=IIII", 2, 4, 4, 1) + bytes(112), 128, privileged=True)
simple(
    "perf_event_open",
    lambda _: struct.pack("=IIQ", 1, 128, 0) + bytes(24) + struct.pack("=Q", 0x60) + bytes(80),
    0,
    -1,
    -1,
    0,
)
simple("userfaultfd", 1)
simple(
    "mount",
    b"none",
    path(""),
    b"tmpfs",
    0,
    None,
    privileged=True,
    undo=lambda g, _: call("umount2", g.path(""), 2),
)
simple("fsopen", b"tmpfs", 0, privileged=True)
simple("open_tree", AT_FDCWD, b"/", 0)
simple("unshare", 0x40000000, label="unshare: a network namespace", privileged=True)
simple("unshare", 0x00020000, label="unshare: a mount namespace", privileged=True)
simple(
    "sethostname", lambda _: os.uname().nodename.encode(), lambda _: len(os.uname().nodename), privileged=True
)
simple("syslog", 3, lambda _: ctypes.create_string_buffer(64), 64, privileged=True)
simple("seccomp", 2, 0, struct.pack("=I", 0x7FFF0000))
simple("landlock_create_ruleset", struct.pack("=Q", 1), 8, 0)
simple(
    "name_to_handle_at",
    AT_FDCWD,
    b"/",
    struct.pack("=Ii", 128, 0) + bytes(128),
    lambda _: ctypes.create_string_buffer(8),
    0,
)
simple("signalfd4", -1, bytes(8), 8, 0)
simple("eventfd2", 0, 0)
simple("epoll_create1", 0)
simple("timerfd_create", 1, 0)
simple("modify_ldt", 0, lambda _: ctypes.create_string_buffer(16), 16)
simple("arch_prctl", 0x1003, lambda _: ctypes.create_string_buffer(8))
simple("clock_adjtime", 0, bytes(256))

# --- shared memory and queues by name

IPC_REMOVE: Final = 0
simple("shmget", 0x0ED6ED, PAGE, 0o1600, undo=lambda _, got: call("shmctl", got, IPC_REMOVE, 0))
simple("semget", 0x0ED6ED, 1, 0o1600, undo=lambda _, got: call("semctl", got, 0, IPC_REMOVE, 0))
simple("msgget", 0x0ED6ED, 0o1600, undo=lambda _, got: call("msgctl", got, IPC_REMOVE, 0))
QUEUE: Final = b"edged-escape"
simple("mq_open", QUEUE, os.O_RDWR | os.O_CREAT, 0o600, 0, undo=lambda *_: call("mq_unlink", QUEUE))


@attempt("openat", "shm_open")
def python_shared_memory(given: Given) -> Any:
    one = shared_memory.SharedMemory(given.abstract, create=True, size=PAGE)
    one.close()
    one.unlink()
    return True


# --- its own chains

PR_SET_DUMPABLE: Final = 4
simple("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0, label="prctl: dumpable again")
simple("prctl", 0x59616D61, -1, 0, 0, 0, label="prctl: traceable by anybody")
simple("setrlimit", resource.RLIMIT_CORE, struct.pack("=QQ", 0, 0))
simple(
    "prlimit64",
    0,
    resource.RLIMIT_FSIZE,
    struct.pack("=QQ", 2**64 - 1, 2**64 - 1),
    None,
    label="prlimit64: files again",
)
simple("capset", struct.pack("=Ii", 0x20080522, 0), bytes(24))
simple("setuid", lambda g: g.user)
simple("setgroups", 0, None, privileged=True)


@attempt("prlimit64", "setrlimit")
def python_setrlimit(given: Given) -> Any:
    resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE))
    return True


# --- what was inherited


@attempt("write")
def every_descriptor(given: Given) -> Any:
    """A byte to each that it holds but the wall and those that lead nowhere."""
    for one in range(4, 64):
        try:
            return call("write", one, b"x", 1)
        except OSError:
            continue
    # Of an unlocked process: it could always have opened one.
    return call("write", os.open(given.path("there"), os.O_WRONLY), b"x", 1)


simple("pwrite64", lambda g: Kept.descriptor, b"x", 1, 0)
simple("ftruncate", lambda g: Kept.descriptor, 0)
simple("fchmod", lambda g: Kept.descriptor, 0o777)
simple("dup", WALL)
simple("fcntl", WALL, 0, 10, label="fcntl: another descriptor of the wall")

# --- ways around the filter


@attempt()
def a_call_of_32_bits(given: Given) -> Any:
    """getpid by the old gate and the old number. The filter ends who comes by it at once."""
    result = (
        int(Kept.machine.old(ctypes.c_long(20), *map(ctypes.c_long, (0, 0, 0))))
        if Kept.machine is not None
        else -38
    )
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


HARMLESS.add("a_call_of_32_bits")


def _in_thread(work: Callable[[], Any]) -> Any:
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except OSError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


@attempt("openat")
def from_a_new_thread(given: Given) -> Any:
    return _in_thread(lambda: call("openat", AT_FDCWD, given.path("new"), CREATE, 0o600))


class Elder:
    """A thread that was there before the lock."""

    def __init__(self) -> None:
        self._go, self._done = threading.Event(), threading.Event()
        self._work: Callable[[], Any] | None = None
        self._outcome: Any = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._go.wait()
        assert self._work is not None
        try:
            self._outcome = self._work()
        except OSError as error:
            self._outcome = error
        self._done.set()

    def do(self, work: Callable[[], Any]) -> Any:
        self._work = work
        self._go.set()
        self._done.wait()
        if isinstance(self._outcome, OSError):
            raise self._outcome
        return self._outcome


@attempt("openat")
def from_an_older_thread(given: Given) -> Any:
    return Kept.elder.do(lambda: call("openat", AT_FDCWD, given.path("new"), CREATE, 0o600))


@attempt("execve")
def exec_from_an_older_thread(given: Given) -> Any:
    return Kept.elder.do(lambda: call("execve", b"/bin/sh", shell(given), None))


@attempt("openat")
def from_a_signal_handler(given: Given) -> Any:
    found: list[Any] = []

    def handle(*_: object) -> None:
        try:
            found.append(call("openat", AT_FDCWD, given.path("new"), CREATE, 0o600))
        except OSError as error:
            found.append(error)

    signal.signal(signal.SIGUSR1, handle)
    call("tgkill", os.getpid(), threading.get_native_id(), signal.SIGUSR1)
    while not found:
        pass
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


@attempt()
def name_that_all_can_read(given: Given) -> Any:
    """Fifteen bytes at a time for whoever reads /proc."""
    call("prctl", 15, b"what was seen", 0, 0, 0)
    return True


ANSWERED["name_that_all_can_read"] = 1  # EPERM: libraries name their threads


# --- all there is


@attempt()
def all_memory(given: Given) -> Any:
    """Four gigabytes, in pieces that are used."""
    return [call("mmap", 0, 64 << 20, 3, 0x22, -1, 0) for _ in range(64)]


@attempt()
def all_threads(given: Given) -> Any:
    """A thousand that wait; each with a small stack of its own."""
    threading.stack_size(64 << 10)
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait, daemon=True) for _ in range(1000)]
    try:
        for one in threads:
            one.start()
    except RuntimeError:
        raise OSError(11, "no more threads") from None
    finally:
        stop.set()
    return True


HARMLESS |= {"all_memory", "all_threads"}
#: Root is not held to the limit that stops these; so nobody tries.
AS_NOBODY: Final = {"all_threads"}
