"""The serial source: lines of numbers on a serial line, such as an Arduino prints them.

The kernel's own terminal interface is enough: termios(3), by the standard library.
"""

from __future__ import annotations

import errno
import fcntl
import os
import termios
import time
from typing import Final, NoReturn

from edged.config import shape
from edged.errors import RefusedError, UnavailableError
from edged.notation import LONGEST
from edged.worker.source import WantWindow
from edged.worker.source.lined import LinedSource

CHUNK: Final = 4096
#: Of the list of tcgetattr(3): input, output, control, local, speeds, characters.
INPUT, OUTPUT, CONTROL, LOCAL, IN_SPEED, OUT_SPEED, CHARACTERS = range(7)

TROUBLES: Final = {
    errno.ENOENT: ("there is no device {}", "is it plugged in? /dev/serial/by-id has names that stay"),
    errno.ENODEV: ("the device at {} was unplugged", "plug it in again"),
    errno.ENXIO: ("there is nothing behind {}", "is it plugged in?"),
    errno.EIO: ("the device at {} was unplugged", "plug it in again"),
    errno.EACCES: ("{} may not be opened", "the user edged must be in the group dialout"),
    errno.EPERM: ("{} may not be opened", "the user edged must be in the group dialout"),
    errno.EBUSY: ("another program uses {}", "stop it: a serial line has one reader"),
}


class SerialSource(LinedSource):
    """One sample a line, of a terminal's."""

    def __init__(self, config: shape.Serial, want: WantWindow) -> None:
        self._config = config
        self._rest, self._whole = b"", False  # the first line may be half of one
        self._long = False
        self._ended, self._endless = time.monotonic(), False  # when a line did; that none has for too long
        super().__init__(config, want, self._opened, config.device, config.timeout)

    def _silence(self, seconds: float) -> UnavailableError:
        return UnavailableError(
            f"the device at {self._config.device} said nothing for {seconds:.0f} s",
            "does it run, and at this baud?",
        )

    def _opened(self) -> int:
        """The line, set. Raises ``UnavailableError``, ``RefusedError``."""
        path, descriptor = self._config.device, -1
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            _set(descriptor, speed(self._config.baud))
        except (OSError, termios.error, RefusedError) as error:
            if descriptor >= 0:
                os.close(descriptor)
            if isinstance(error, RefusedError):
                raise
            self._troubled(error)
        return descriptor

    def _take(self) -> None:
        try:
            said = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._troubled(error)
        if not said:  # a line that hung up
            self._troubled(OSError(errno.EIO, ""))
        self._heard = time.monotonic()
        # Some end a line with a carriage return, or with both: then every other line is empty.
        *lines, self._rest = (self._rest + said.replace(b"\r", b"\n")).split(b"\n")
        for line in lines:
            if self._whole and not self._long:
                self._heed(line, self._heard)
            self._whole, self._long = True, False
        self._look_for_an_end(bool(lines))
        if len(self._rest) > LONGEST:  # no end of a line for so long: nothing of it is kept
            if not self._long:
                self._lines.spoil()
            self._rest, self._long = b"", True

    def _look_for_an_end(self, found: bool) -> None:
        """Bytes at a wrong baud seldom have one, and until ``LONGEST`` of them have come it may take long."""
        if found:
            self._ended, self._endless = self._heard, False
        elif not self._endless and self._heard - self._ended > self._config.timeout:
            self._lines.spoil()
            self._endless = True

    def _troubled(self, error: OSError | termios.error) -> NoReturn:
        path = self._config.device
        number = error.args[0] if error.args else 0
        if number in (errno.ENOTTY, errno.EISDIR, errno.EINVAL):
            raise RefusedError(
                f"{path} is no serial line", "it is /dev/ttyUSB0, /dev/ttyACM0 or the like"
            ) from None
        found, hint = TROUBLES.get(number, ("the device at {} failed", "plug it in anew"))
        raise UnavailableError(found.format(path), hint) from None


def speed(baud: int) -> int:
    """termios' constant. Raises ``RefusedError`` for a speed that it does not have."""
    found = getattr(termios, f"B{baud}", None)
    if found is None:
        known = sorted(int(one[1:]) for one in dir(termios) if one[0] == "B" and one[1:].isdigit())
        raise RefusedError(
            f"{baud} baud is no speed of a serial line here",
            f"one of {', '.join(map(str, (one for one in known if one >= 50)))}",
        )
    return int(found)


def _set(descriptor: int, rate: int) -> None:
    """Raw, 8 bits, no parity, no modem; what came before is forgotten. Nobody else may open it meanwhile."""
    fcntl.ioctl(descriptor, termios.TIOCEXCL)
    mode = termios.tcgetattr(descriptor)
    mode[INPUT] = mode[OUTPUT] = mode[LOCAL] = 0
    mode[CONTROL] = termios.CS8 | termios.CREAD | termios.CLOCAL
    mode[IN_SPEED] = mode[OUT_SPEED] = rate
    mode[CHARACTERS][termios.VMIN], mode[CHARACTERS][termios.VTIME] = 1, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, mode)
    termios.tcflush(descriptor, termios.TCIFLUSH)
