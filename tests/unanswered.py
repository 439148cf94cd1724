"""A file system that stops answering: whoever reads then hangs in the kernel, and no signal ends that.

A real D state, as of a crashed camera's driver or a network drive that is gone: FUSE waits out a request that
its server has taken and not answered, also after SIGKILL. The protocol is spoken here as far as one file
needs it (``linux/fuse.h``, version 7.31). For root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HEAD = struct.Struct("<IIQQIIII")  # len, opcode, unique, nodeid, uid, gid, pid, padding
_OUT = struct.Struct("<IiQ")
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")
READ, FORGET = 15, 2
DIRECT_IO = 1  # every read comes here: nothing is answered by the page cache
FILE = 2  # the one file's node; 1 is the folder
FORCE, DETACH = 1, 2  # umount2: FUSE then answers everybody with an error


class Server:
    """One folder with one file in it, the bytes of which are answered until ``fall_silent``."""

    def __init__(self, folder: Path, name: str, content: bytes) -> None:
        self.path = folder / name
        self._name, self._content = name.encode(), content
        self._silent = threading.Event()
        self.asked_in_vain = threading.Event()
        self._fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"fd={self._fd},rootmode=40755,user_id=0,group_id=0,allow_other".encode()
        if libc.mount(b"unanswered", str(folder).encode(), b"fuse", 0, options):
            number = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(number, os.strerror(number))
        self._thread = threading.Thread(target=self._serve, name="unanswered", daemon=True)
        self._thread.start()

    def fall_silent(self) -> None:
        """From now on whoever reads hangs."""
        self._silent.set()

    def close(self) -> None:
        """Let go of everybody who hangs: their reads fail. May be called twice."""
        if self._fd < 0:
            return
        for how in (FORCE, DETACH):
            ctypes.CDLL(None).umount2(str(self.path.parent).encode(), how)
        self._thread.join(5.0)
        os.close(self._fd)
        self._fd = -1

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._fd, 1 << 17)
            except OSError:
                return  # unmounted or closed
            _, opcode, unique, node, *_ = _HEAD.unpack_from(request)
            body = request[_HEAD.size :]
            if opcode == READ and self._silent.is_set():
                self.asked_in_vain.set()
                continue
            if opcode != FORGET:
                self._answer(unique, *self._answered(opcode, node, body))

    def _answer(self, unique: int, error: int, data: bytes = b"") -> None:
        try:
            os.write(self._fd, _OUT.pack(_OUT.size + len(data), -error, unique) + data)
        except OSError:
            return  # who asked has gone

    def _answered(self, opcode: int, node: int, body: bytes) -> tuple[int, bytes]:
        """(errno, what follows the head)"""
        match opcode:
            case 26:  # INIT: 7.31, nothing read ahead, at most 64 KiB written at once
                numbers = (7, 31, 65536, 0, 0, 0, 65536, 1, 0, 0)
                return 0, struct.pack("<IIIIHHIIHH32x", *numbers)
            case 1 if body.rstrip(b"\0") == self._name:  # LOOKUP
                return 0, struct.pack("<QQQQII", FILE, 0, 1, 1, 0, 0) + self._attributes(FILE)
            case 3:  # GETATTR
                return 0, struct.pack("<QII", 1, 0, 0) + self._attributes(node)
            case 14:  # OPEN
                return 0, struct.pack("<QII", 0, DIRECT_IO, 0)
            case 15:  # READ
                _, offset, size = struct.unpack_from("<QQI", body)
                return 0, self._content[offset : offset + size]
        return errno.ENOENT if opcode == 1 else errno.ENOSYS, b""

    def _attributes(self, node: int) -> bytes:
        mode, size = (0o100444, len(self._content)) if node == FILE else (0o40555, 0)
        return _ATTRIBUTES.pack(node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


@contextmanager
def unanswered(folder: Path, name: str, content: bytes) -> Iterator[Server]:
    """``folder`` becomes such a file system. Raises ``OSError`` where none can be mounted."""
    folder.mkdir(exist_ok=True)
    server = Server(folder, name, content)
    try:
        yield server
    finally:
        server.close()


def state(pid: int) -> str:
    """A process's state letter: D hangs in the kernel. Of all its threads the worst."""
    letters = [
        (one / "stat").read_text().rpartition(")")[2].split()[0]
        for one in Path(f"/proc/{pid}/task").iterdir()
    ]
    return "D" if "D" in letters else letters[0]
