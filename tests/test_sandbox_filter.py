"""The filter on both architectures: put together, and run by an interpreter of ours on calls as they come."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import bpf as simulated
import pytest

from edged import syscalls
from edged.wall import FEED, WITNESSED
from edged.worker.sandbox import bpf, calls
from edged.worker.sandbox.bpf import ALLOW, ERRNO, KILL, NOTIFY, Is, Rule
from edged.worker.source import videodev

MACHINES = tuple(syscalls.AUDIT)
PURPOSES = ("synthetic", "file", "v4l2", "camera", "microphone", "edgetpu")
SENSORS = ("iio", "hwmon", "onewire", "sysfs", "serial", "feed")
PROCESS = 4242


def words(text: str) -> list[str]:
    return text.split()


#: Calls that open, make, reach or change something outside of the process, or run something new.
NEVER = words(
    """
    openat openat2 creat open name_to_handle_at open_by_handle_at memfd_create memfd_secret socket
    socketpair connect bind listen accept accept4 execve execveat fork vfork unshare setns ptrace
    process_vm_readv process_vm_writev kill tkill rt_sigqueueinfo pidfd_open pidfd_getfd
    pidfd_send_signal keyctl add_key request_key io_uring_setup io_uring_enter io_uring_register bpf
    perf_event_open userfaultfd mount umount2 pivot_root chroot move_mount fsopen open_tree shmget
    shmat msgget semget mq_open linkat symlinkat renameat renameat2 unlinkat mkdirat mknodat fchmod
    fchmodat fchown fchownat truncate ftruncate fallocate setxattr utimensat statx newfstatat
    readlinkat getdents64 inotify_init1 fanotify_init init_module finit_module delete_module
    kexec_load reboot swapon syslog setuid setgid setresuid capset personality seccomp
    landlock_create_ruleset pkey_mprotect remap_file_pages process_madvise splice tee vmsplice
    sendfile copy_file_range sync chdir fchdir setsid setpgid ioprio_set sched_setscheduler
    sched_setaffinity setpriority clock_settime settimeofday pwrite64 pwritev sendmmsg recvmmsg acct
    quotactl ioperm iopl modify_ldt mseal
    """
)


def verdict(machine: str, name: str, *arguments: int, purposes: tuple[str, ...] = ()) -> int:
    numbers = syscalls.numbers(machine)
    program = bpf.program(calls.rules(purposes, PROCESS), numbers, syscalls.AUDIT[machine], NOTIFY)
    return simulated.run(bpf.packed(program), numbers[name], syscalls.AUDIT[machine], arguments)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_reaches_outside_is_asked_about(machine: str, purpose: str) -> None:
    known = [name for name in NEVER if name in syscalls.numbers(machine)]
    assert len(known) > 100 and set(WITNESSED) - {"clone"} <= set(known)
    let_through = [one for one in known if verdict(machine, one, purposes=(purpose,)) != NOTIFY]
    assert let_through == []


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("futex", (), ALLOW),
        ("read", (9,), ALLOW),
        ("mmap", (0, 4096, 0x3, 0x22, -1, 0), ALLOW),
        ("mmap", (0, 4096, 0x5, 0x22, -1, 0), NOTIFY),
        ("mmap", (0, 4096, 0x7, 0x22, -1, 0), NOTIFY),
        ("mprotect", (0, 4096, 0x1), ALLOW),
        ("mprotect", (0, 4096, 0x4), NOTIFY),
        ("clone", (calls.THREAD,), ALLOW),
        ("clone", (calls.THREAD | 0x400000,), ALLOW),
        ("clone", (17,), NOTIFY),  # fork
        ("clone", (calls.THREAD | 0x10000000,), NOTIFY),  # CLONE_NEWUSER
        ("clone", (calls.THREAD & ~0x10000,), NOTIFY),  # without CLONE_THREAD
        ("clone3", (0, 88), ERRNO | errno.ENOSYS),
        ("write", (1, 0, 5), ALLOW),
        ("write", (2, 0, 5), ALLOW),
        ("write", (5, 0, 5), NOTIFY),
        ("sendto", (3, 0, 5, 0, 0, 0), ALLOW),
        ("sendto", (3, 0, 5, 0, 0x7FFF0000, 16), NOTIFY),  # with an address
        ("sendto", (4, 0, 5, 0, 0, 0), NOTIFY),
        ("sendmsg", (3,), ALLOW),
        ("sendmsg", (7,), NOTIFY),
        ("tgkill", (PROCESS, PROCESS, 6), ALLOW),
        ("tgkill", (PROCESS + 1, 1, 6), NOTIFY),
        ("prctl", (15,), ERRNO | errno.EPERM),
        ("prctl", (4, 1), NOTIFY),  # PR_SET_DUMPABLE
        ("prlimit64", (0, 3, 0, 0x7FFF0000), ALLOW),
        ("prlimit64", (0, 7, 0x7FFF0000, 0), NOTIFY),
        ("prlimit64", (PROCESS + 1, 3, 0, 0x7FFF0000), NOTIFY),  # of another process
        ("ioctl", (5, 0x5401), NOTIFY),  # TCGETS
    ],
)
def test_arguments_decide(machine: str, name: str, arguments: tuple[int, ...], result: int) -> None:
    assert verdict(machine, name, *arguments, purposes=("file",)) == result


def early(machine: str, name: str, *arguments: int, devices: bool = False) -> int:
    """The verdict before the lock."""
    numbers = syscalls.numbers(machine)
    program = bpf.program(calls.before(devices), numbers, syscalls.AUDIT[machine], ALLOW)
    return simulated.run(bpf.packed(program), numbers[name], syscalls.AUDIT[machine], arguments)


NO = ERRNO | errno.EPERM
FLAGS = 0o2004000  # SOCK_CLOEXEC | SOCK_NONBLOCK


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("devices", [False, True])
def test_before_the_lock_no_socket_leads_anywhere(machine: str, devices: bool) -> None:
    """One of local streams may be made. Where an Edge TPU is looked for, one that hears of devices too."""
    made = {
        (family, kind, protocol)
        for family in (*range(64), 1 << 8, 1 << 31)
        for kind in range(16)
        for protocol in (0, 1, 9, 14, 15, 16, 31, 255)
        if early(machine, "socket", family, kind | FLAGS, protocol, devices=devices) != NO
    }
    streams = {(1, 1, protocol) for protocol in (0, 1, 9, 14, 15, 16, 31, 255)}
    hears = {(16, kind, 15) for kind in range(16)} if devices else set()
    assert made == streams | hears
    for name in ("connect", "listen", "socketpair"):
        assert early(machine, name, 1, 2, 3, devices=devices) == NO
    assert early(machine, "prctl", 35, 14) == NO, "PR_SET_MM_MAP: what everybody is shown as arguments"
    sizes = (*range(256), *(1 << one | 12 for one in range(8, 32)))
    assert {size for size in sizes if early(machine, "bind", 5, 0, size, devices=devices) != NO} == (
        {12} if devices else set()
    )


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("devices", [False, True])
def test_before_the_lock_nothing_is_begun_but_threads(machine: str, devices: bool) -> None:
    """A process that was forked then would not be locked."""
    for flags in (17, 0, calls.THREAD & ~0x10000, 0x4000 | 0x100 | 17, 1 << 20):  # vfork's, CLONE_SETTLS
        assert early(machine, "clone", flags, devices=devices) == NO, hex(flags)
    for flags in (calls.THREAD, calls.THREAD | 0x400000):
        assert early(machine, "clone", flags, devices=devices) == ALLOW
    assert early(machine, "clone3", 0x7FFF0000, 88, devices=devices) == ERRNO | errno.ENOSYS


#: What makes something that would still be there, or be somebody's to look at, when the lock is on.
LEFT_BEHIND = words(
    """
    fork vfork io_uring_setup pidfd_getfd connect listen socketpair shmget semget msgget mq_open add_key
    request_key keyctl setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr
    removexattrat chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat
    utimensat file_setattr
    """
)
#: linux/fs.h, on 32 and 64 bits: set a file's flags, its project, its version.
OF_FILES = (0x40086602, 0x40046602, 0x401C5820, 0x40087602, 0x40047602)


@pytest.mark.parametrize("machine", MACHINES)
def test_before_the_lock_nothing_is_left_in_the_kernel_or_beside_a_file(machine: str) -> None:
    known = [one for one in LEFT_BEHIND if one in syscalls.numbers(machine)]
    assert len(known) > 25 and [one for one in known if early(machine, one) != NO] == []
    assert {one for one in calls.REFUSED if one not in syscalls.numbers("x86_64")} == set()
    assert {early(machine, "ioctl", 5, request) for request in OF_FILES} == {NO}
    reads = (0x80086601, 0x801C581F, 0xC0585611, 0x541B, 0x80184151)
    assert {early(machine, "ioctl", 5, request) for request in reads} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("devices", [False, True])
def test_what_a_proof_needs_is_not_refused_before_the_lock(machine: str, devices: bool) -> None:
    """An errno comes before a question: the daemon would not see it."""
    for name in WITNESSED:
        assert early(machine, name, *((1, 1, 0) if name == "socket" else ()), devices=devices) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_a_sensor_is_read_and_nothing_is_said_to_it(machine: str) -> None:
    """None needs a call of its own. A feed's socket stands at 4; a line or a file may stand anywhere."""
    assert all(calls.rules((one,), PROCESS) == calls.rules((), PROCESS) for one in SENSORS)
    for name in ("read", "pread64", "ppoll"):
        assert verdict(machine, name, FEED, purposes=SENSORS) == ALLOW
    for name in ("write", "writev", "sendto", "sendmsg", "recvfrom", "recvmsg", "ioctl"):
        assert verdict(machine, name, FEED, purposes=SENSORS) == NOTIFY


def _is_request(value: object) -> bool:
    return isinstance(value, int) and value >> 30 in (1, 2, 3) and value >> 8 & 0xFF == ord("V")


@pytest.mark.parametrize("machine", MACHINES)
def test_requests_are_those_of_the_source(machine: str) -> None:
    dequeue, tiocsti, usb = 0xC0585611, 0x5412, 0x8038550A
    assert verdict(machine, "ioctl", 5, dequeue, purposes=("v4l2",)) == ALLOW
    made = {value for name, value in vars(videodev).items() if name.isupper() and _is_request(value)}
    assert len(made) == 13 and dequeue in made
    assert {verdict(machine, "ioctl", 5, one, purposes=("v4l2",)) for one in made} == {ALLOW}
    others = {*range(0xC0005600, 0xC0005700), 0xC008561C, 0xC0205648}
    through = {one & 0xFF for one in others if verdict(machine, "ioctl", 5, one, purposes=("v4l2",)) == ALLOW}
    assert through == {one & 0xFF for one in made}
    assert verdict(machine, "ioctl", 5, usb, purposes=("v4l2",)) == NOTIFY
    assert verdict(machine, "ioctl", 5, usb, purposes=("v4l2", "edgetpu")) == ALLOW
    read_frames, of_a_camera = 0x80184151, dequeue
    assert verdict(machine, "ioctl", 5, read_frames, purposes=("microphone",)) == ALLOW
    assert verdict(machine, "ioctl", 5, read_frames, purposes=("v4l2",)) == NOTIFY
    assert verdict(machine, "ioctl", 5, of_a_camera, purposes=("microphone",)) == NOTIFY
    for purpose in PURPOSES:
        assert verdict(machine, "ioctl", 0, tiocsti, purposes=(purpose,)) == NOTIFY
        assert verdict(machine, "ioctl", 9, 0xC0182101, purposes=(purpose,)) == NOTIFY, "answering for itself"


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_lent_comes_over_the_wall_and_by_nothing_else(machine: str) -> None:
    for purpose in PURPOSES:
        takes = {one for one in range(10) if verdict(machine, "recvmsg", one, purposes=(purpose,)) == ALLOW}
        assert takes == ({3} if purpose == "v4l2" else set())


@pytest.mark.parametrize("machine", MACHINES)
def test_of_a_descriptor_nothing_is_set_that_others_feel(machine: str) -> None:
    """Not F_SETOWN, F_SETSIG, F_SETLEASE or F_NOTIFY, by which the kernel would send signals."""
    for purpose in PURPOSES:
        asked = (*range(64), *range(1024, 1088))
        sets = {one for one in asked if verdict(machine, "fcntl", 5, one, purposes=(purpose,)) == ALLOW}
        assert sets == ({1, 2, 3, 4, 1030} if purpose == "camera" else set())


@pytest.mark.parametrize("machine", MACHINES)
def test_another_architectures_calls_end_it_and_unknown_ones_are_asked_about(machine: str) -> None:
    (other,) = set(MACHINES) - {machine}
    numbers = syscalls.numbers(machine)
    program = bpf.packed(bpf.program(calls.rules((), PROCESS), numbers, syscalls.AUDIT[machine], NOTIFY))
    assert simulated.run(program, numbers["futex"], syscalls.AUDIT[other]) == KILL
    assert simulated.run(program, numbers["futex"], 0x40000003) == KILL  # i386
    x32 = simulated.run(program, numbers["futex"] | 0x40000000, syscalls.AUDIT[machine])
    assert x32 == (KILL if machine == "x86_64" else NOTIFY)
    assert simulated.run(program, 9999, syscalls.AUDIT[machine]) == NOTIFY


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_of_the_table_is_one_of_some_architecture(machine: str) -> None:
    known = set(syscalls.numbers("x86_64")) | set(syscalls.numbers("aarch64"))
    assert {rule.name for rule in calls.rules(PURPOSES, PROCESS)} <= known
    waits = {"poll", "ppoll"} & set(syscalls.numbers(machine))
    assert any(verdict(machine, one) == ALLOW for one in waits)


def test_alternatives_and_both_halves_of_an_argument_count() -> None:
    rules = [Rule("read", ((Is(0, 1 << 40),), (Is(1, 2), Is(2, 3))))]
    program = bpf.packed(bpf.program(rules, {"read": 7}, 1, NOTIFY))
    for arguments, result in (
        ((1 << 40,), ALLOW),
        ((0,), NOTIFY),
        ((0, 2, 3), ALLOW),
        ((0, 2, 4), NOTIFY),
        ((0, 2 | 1 << 33, 3), NOTIFY),
    ):
        assert simulated.run(program, 7, 1, arguments) == result


def test_a_body_that_is_too_long_to_jump_over_is_refused() -> None:
    rule = Rule("read", tuple((Is(0, one),) for one in range(100)))
    with pytest.raises(ValueError, match="one jump"):
        bpf.program([rule], {"read": 7}, 1, NOTIFY)


@pytest.mark.parametrize(("whole", "halves", "length"), [(49, 3, 255), (50, 1, 254), (51, 0, 256)])
def test_the_longest_body_that_can_be_jumped_over_is(whole: int, halves: int, length: int) -> None:
    """A whole argument takes five instructions, half of one three, and the end one: 255 are the most."""
    cases = (*((Is(0, one),) for one in range(whole)), *((Is(0, one, 0xFFFFFFFF),) for one in range(halves)))
    assert 5 * whole + 3 * halves + 1 == length
    rules = [Rule("read", cases), Rule("write")]
    if length > 255:
        with pytest.raises(ValueError, match="one jump"):
            bpf.program(rules, {"read": 7, "write": 8}, 1, NOTIFY)
        return
    program = bpf.packed(bpf.program(rules, {"read": 7, "write": 8}, 1, NOTIFY))
    assert simulated.run(program, 8, 1) == ALLOW
    assert simulated.run(program, 7, 1, (whole - 1,)) == ALLOW


#: The table that 64-bit Arm shares with others is on every Debian; what of it is theirs.
GENERIC = "asm-generic/unistd.h"
NOT_ARM_S = re.compile("time64$|^arch_specific_syscall$|^sync_file_range2$|^syscalls$")


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        ("x86_64", "x86_64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", "aarch64-linux-gnu/asm/unistd_64.h"),
        ("aarch64", GENERIC),
    ],
)
def test_numbers_are_those_of_the_kernels_headers(machine: str, header: str) -> None:
    path = Path("/usr/include") / header
    if not path.exists():
        pytest.skip(f"{path} is not installed")
    found = re.findall(r"^#define __NR(?:3264)?_(\w+)\s+(\d+)$", path.read_text(), re.MULTILINE)
    if header == GENERIC:
        found = [("newfstatat" if name == "fstatat" else name, number) for name, number in found]
        found = [one for one in found if not NOT_ARM_S.search(one[0])]
    numbers = syscalls.numbers(machine)
    assert len(found) > 300
    assert {name: int(number) for name, number in found if name in numbers} == {
        name: numbers[name] for name, _ in found if name in numbers
    }
    assert [name for name, number in found if name not in numbers and int(number) < 470] == []


def test_a_number_has_its_name_back() -> None:
    for machine in MACHINES:
        for name, number in syscalls.numbers(machine).items():
            assert syscalls.named(number, machine) == name
    assert syscalls.named(999) == "call 999"
    assert {syscalls.named(one) for one in (1000, 0x50494331, -1)} == {"a call that is none"}
    assert syscalls.numbers("riscv64") == {}
