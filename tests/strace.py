"""Everything that processes write, as the kernel is given it: ``strace`` over all of them.

Every call that can carry a byte out of a process is in it, names of files included, and every mapping that is
shared with a file. What a process reads is not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

WRITES: Final = (
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg"),
    *("vmsplice", "process_vm_writev", "mq_timedsend", "msgsnd", "add_key", "keyctl", "prctl"),
    *("setxattr", "lsetxattr", "fsetxattr", "execve", "execveat", "memfd_create", "bpf"),
)
#: What would carry bytes past this tracer; none of our processes has a use for it.
PAST: Final = (
    *("splice", "tee", "sendfile", "copy_file_range", "io_uring_setup", "io_submit", "ptrace"),
    *("shmat", "process_madvise", "userfaultfd"),
)
MAPPINGS: Final = ("mmap", "mprotect", "remap_file_pages")
STRING: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
CALL: Final = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)")


def why_not() -> str:
    """Why nothing can be traced here, "" when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-f", "-e", "trace=none", "true"], capture_output=True, text=True, check=False
    )
    return f"strace may not trace here: {done.stderr.strip()}" if done.returncode else ""


def command(log: Path) -> list[str]:
    """What to put before a command so that all that it and its children write stands in ``log``."""
    calls = ",".join(f"?{one}" for one in (*WRITES, *PAST, *MAPPINGS))
    traced = f"trace={calls},%file"
    return [
        "strace",
        "-f",
        "-qq",
        "-yy",
        "-xx",
        "-s",
        str(1 << 24),
        "-e",
        traced,
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]


def lines(log: Path) -> Iterator[str]:
    """The calls, one a line."""
    with log.open(encoding="ascii", errors="replace") as file:
        yield from file


def written(log: Path, which: Callable[[str], bool] = bool) -> Iterator[bytes]:
    """The bytes of all strings that were handed to the kernel, in pieces, call after call; of the calls that
    are meant by ``which``.
    """
    gathered, size = list[bytes](), 0
    for line in filter(which, lines(log)):
        for text, cut in STRING.findall(line):
            assert not cut, f"a string was not traced whole: {line[:80]}"
            data = bytes.fromhex(text.replace("\\x", ""))
            gathered += [data, bytes(8)]
            size += len(data) + 8
        if size > 8 << 20:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def sent_to(place: Path) -> Callable[[str], bool]:
    """Whether a call sends something to a local socket."""
    path = "".join(f"\\x{one:02x}" for one in os.fsencode(place))
    return lambda line: "sendto(" in line and f'sun_path="{path}"' in line


def past(log: Path) -> list[str]:
    """Calls that carried something past the tracer: one of ``PAST``, or a file mapped to be written. One
    that was begun by several threads at once stands in two lines, and was refused if the second says so.
    """
    found, begun = list[str](), dict[str, str]()
    for line in lines(log):
        who = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>\n"):
            begun[who] = line.removesuffix("<unfinished ...>\n")
            continue
        rest = line.split(" resumed>", 1)
        whole = begun.pop(who, "") + rest[1] if len(rest) == 2 else line
        if _is_past(whole):
            found.append(whole.strip())
    return found


def _is_past(line: str) -> bool:
    found = CALL.match(line)
    if found is None or " = -1 " in line:
        return False
    if found[1] == "mmap":
        return "MAP_SHARED" in line and "PROT_WRITE" in line and "MAP_ANONYMOUS" not in line
    return found[1] in PAST


def unread(log: Path) -> list[str]:
    """Writes whose bytes the tracer could not read: it shows their address instead."""
    bare = re.compile(r"^\d+ +(?:write|pwrite64|sendto)\(\d+<[^>]*>+, 0x[0-9a-f]+, [1-9]")
    return [line.strip() for line in lines(log) if bare.match(line)]
