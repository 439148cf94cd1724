"""The table: which system calls a locked worker may make, by what they are for. Found by tracing every
source and runtime after the lock (``docs/adr/0021-sandbox.md`` says how); whoever adds one says what
needs it.

Calls that take a path, make a socket, a process, a descriptor that others can have, or executable memory
are in no row. What one architecture alone has (poll, where the other has ppoll) stands beside its twin.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from errno import ENOSYS, EPERM
from typing import Final

from edged.worker.sandbox.bpf import Is, Rule

WALL: Final = 3
PROT_EXEC: Final = 0x4
#: linux/sched.h: how glibc starts a thread: VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID,
#: CHILD_CLEARTID; musl adds DETACHED (0x400000), which does nothing.
THREAD: Final = 0x3D0F00
PR_SET_NAME: Final = 15
PR_SET_MM: Final = 35
_INT: Final = 0xFFFFFFFF  # an int or a 32-bit word: what is above it is nobody's


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _always(names: str) -> tuple[Rule, ...]:
    return tuple(map(Rule, _words(names)))


def _when(name: str, *conditions: Is) -> Rule:
    return Rule(name, (conditions,))


def _of_descriptors(name: str, *numbers: int) -> Rule:
    return Rule(name, tuple((Is(0, one, _INT),) for one in numbers))


def _of_type(letter: str) -> Is:
    """ioctl(2): any request of one driver's letter (asm-generic/ioctl.h: bits 8 to 15)."""
    return Is(1, ord(letter) << 8, 0xFF00)


WAITING: Final = _always("futex clock_nanosleep nanosleep poll ppoll restart_syscall")
#: The clocks are read without a call but for that of the process; some boards' timers need the call for all.
CLOCKS: Final = _always("clock_gettime clock_getres gettimeofday time times getrusage")
MEMORY: Final = (
    *_always("brk munmap madvise mremap"),
    _when("mmap", Is(2, 0, PROT_EXEC)),
    _when("mprotect", Is(2, 0, PROT_EXEC)),
)
#: pthread_create asks for clone3 first, whose flags no filter can see, and takes clone when there is none.
THREADS: Final = (
    Rule("clone", ((Is(0, THREAD, ~0x400000 & 0xFFFFFFFF_FFFFFFFF),),)),
    Rule("clone3", errno=ENOSYS),
    *_always("set_robust_list rseq gettid getpid sched_yield sched_getaffinity getcpu exit membarrier"),
    # A thread's name can be read by everybody on the machine: libraries that give one go without.
    Rule("prctl", ((Is(0, PR_SET_NAME, _INT),),), EPERM),
    _when("prlimit64", Is(0, 0), Is(2, 0)),  # of itself, read: pthread_getattr_np
)
SIGNALS: Final = _always("rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack")
#: What is held open: a model, a recording. pread64 and fstat are how a rung is read when its turn comes.
HELD: Final = _always("read pread64 readv lseek close fstat")
#: The wall's end alone, and 1 and 2, which lead nowhere: libraries print.
WORDS: Final = (
    Rule("sendto", ((Is(0, WALL, _INT), Is(4, 0)),)),
    _of_descriptors("sendmsg", WALL),
    _of_descriptors("recvfrom", WALL),
    _of_descriptors("writev", 1, 2),
)
#: glibc's qsort asks how much memory there is; hash seeds want random numbers.
SMALL: Final = _always("getrandom sysinfo uname exit_group")

BASE: Final = (*WAITING, *CLOCKS, *MEMORY, *THREADS, *SIGNALS, *HELD, *WORDS, *SMALL)

#: linux/videodev2.h: 'V' is every request of a video node. These are what ``worker.source.videodev`` makes,
#: the two that each frame takes first (VIDIOC_DQBUF, VIDIOC_QBUF). None sets a control: how bright a camera
#: is, where it points, whether its light is on stays so, and is seen by others.
V4L2: Final = tuple(
    Is(1, ord("V") << 8 | number, 0xFFFF) for number in (17, 15, 0, 2, 5, 8, 9, 18, 19, 21, 22, 74, 75)
)
#: libcamera: video and media nodes, buffers of the DMA heaps and their synchronisation.
LIBCAMERA: Final = (_of_type("V"), _of_type("|"), _of_type("H"), _of_type("b"))
#: sound/asound.h: 'A' is every request of a PCM that is open.
ALSA: Final = (_of_type("A"),)
#: libusb's usbfs, and the PCIe driver's (gasket: 0xDC).
EDGETPU: Final = (_of_type("U"), _of_type("\xdc"))

#: ioctl requests by purpose.
REQUESTS: Final[dict[str, tuple[Is, ...]]] = {
    "v4l2": V4L2,
    "camera": LIBCAMERA,
    "microphone": ALSA,
    "edgetpu": EDGETPU,
}
#: F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC. Not F_SETOWN: the kernel would send signals to others.
FCNTL: Final = (1, 2, 3, 4, 1030)
#: Further calls by purpose. picamera2 and libcamera have event loops, and wake them through descriptors.
CALLS: Final[dict[str, tuple[Rule, ...]]] = {
    # What the daemon lends again comes as ancillary data. Of what it sends up nothing of the kind is taken.
    "v4l2": (_of_descriptors("recvmsg", WALL),),
    "camera": (
        *_always("epoll_wait epoll_pwait epoll_ctl eventfd2 timerfd_settime"),
        *_always("dup"),
        Rule("fcntl", tuple((Is(1, one, _INT),) for one in FCNTL)),
    ),
    "edgetpu": _always("timerfd_settime"),
}

#: CLONE_THREAD, linux/sched.h
_THREAD_FLAG: Final = 0x10000
#: Refused before the lock, whatever the arguments.
REFUSED: Final = _words(
    """
    fork vfork io_uring_setup pidfd_getfd connect listen socketpair
    shmget semget msgget mq_open add_key request_key keyctl
    setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat
    file_setattr
    """
)
#: linux/fs.h: FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_SETVERSION, by letter and number: they change what
#: stands beside a file, through a descriptor that only reads it.
_OF_FILES: Final = tuple(
    (Is(1, ord(letter) << 8 | number, 0xFFFF),) for letter, number in (("f", 2), ("X", 32), ("v", 2))
)
# linux/socket.h, linux/net.h, linux/netlink.h
AF_UNIX, AF_NETLINK, SOCK_STREAM, NETLINK_KOBJECT_UEVENT = 1, 16, 1, 15
_TYPE: Final = 0xF  # socket(2): what is above it are flags
_SOCKADDR_NL: Final = 12  # bytes


def _unlike(argument: int, value: int, bits: int) -> tuple[Is, ...]:
    """An argument whose lowest ``bits`` bits are not those of ``value``: one condition for each of them."""
    return tuple(Is(argument, ~value & 1 << one, 1 << one) for one in range(bits))


def _sockets(*families: int) -> Rule:
    """No socket but of these families; of local ones no datagrams, which find their way without a connection,
    and of netlink what tells of devices alone.
    """
    known = functools.reduce(operator.or_, families)
    beyond = [(Is(0, 1 << one, 1 << one),) for one in range(32) if not known >> one & 1]
    within = [(Is(0, one, _INT),) for one in range(known + 1) if not one & ~known and one not in families]
    datagrams = [(Is(0, AF_UNIX, _INT), one) for one in _unlike(1, SOCK_STREAM, _TYPE.bit_length())]
    others = [(Is(0, AF_NETLINK, _INT), one) for one in _unlike(2, NETLINK_KOBJECT_UEVENT, 5)]
    return Rule("socket", (*beyond, *within, *datagrams, *(others if AF_NETLINK in families else ())), EPERM)


def before(devices: bool = False) -> tuple[Rule, ...]:
    """What is refused before the lock already, and stays refused quietly: a process that was forked then
    would not be locked, nor would a ring of io_uring's, and both could still be told by one that is. A
    socket that is made leads nowhere: none is connected, none can be found by others, and none takes
    datagrams; Landlock knows no rule for those that have a path. One of local streams may be made, so
    that making it once more is a question later (``wall.WITNESSED``). Nothing is left in the kernel's
    own rooms, nor in what stands beside a file and not in it, of which Landlock knows nothing either; and
    which memory everybody is shown as the process's arguments is settled by then.

    ``devices``: libusb, by which an Edge TPU is found, does not begin unless it can hear of devices.
    """
    families = (AF_UNIX, AF_NETLINK) if devices else (AF_UNIX,)
    bound = _unlike(2, _SOCKADDR_NL, 32) if devices else ()
    return (
        *(Rule(one, errno=EPERM) for one in REFUSED),
        Rule("bind", tuple((one,) for one in bound) or ((),), EPERM),
        _sockets(*families),
        Rule("clone", ((Is(0, 0, _THREAD_FLAG),),), EPERM),
        Rule("prctl", ((Is(0, PR_SET_MM, _INT),),), EPERM),
        Rule("ioctl", _OF_FILES, EPERM),
        Rule("clone3", errno=ENOSYS),
    )


def rules(purposes: Iterable[str], process: int, answers: int = 1) -> list[Rule]:
    """All that a worker with these ``purposes`` may do. ``process`` is its number: a library that gives up
    ends itself by a signal to it, and to no other. ``answers`` is the descriptor of an answer, where
    there is one.
    """
    wanted = set(purposes)
    requests = tuple((one,) for purpose in sorted(wanted) for one in REQUESTS.get(purpose, ()))
    made = [*BASE, _of_descriptors("write", 1, 2, answers), Rule("tgkill", ((Is(0, process, _INT),),))]
    if "camera" in wanted or "edgetpu" in wanted:
        made = [one for one in made if one.name != "write"] + list(_always("write"))
    if requests:
        made.append(Rule("ioctl", requests))
    return [*made, *(rule for purpose in sorted(wanted) for rule in CALLS.get(purpose, ()))]
