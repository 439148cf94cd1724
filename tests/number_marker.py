"""Lines of numbers that carry a marker, and lines that are none, and every form that the pipeline makes of
them.

What is kept of numbers are numbers: how much, how little, how much on average, rounded. So what is looked for
is what must not be kept: the text of a line, whatever it is; the samples as a row, in whatever form; and one
number to all of its digits, which no rounded one has.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from forms import Forms, mean_of
from numpy.typing import NDArray

from edged.config.shape import Channel
from edged.worker.intake import Window
from edged.worker.source.lines import Lines
from edged.worker.window import WindowPreparation

LINES: Final = 96
WINDOW: Final = 16  # samples, of two channels
SCALE, ZERO = 0.5, 128
#: What a person may send, or a receiver print; each with so many random digits that nothing like it is found
#: by accident.
PERSONAL: Final = ("name={0} born={1}", "$GPRMC,{1},A,{2},N,{3},E", '{{"who": "{0}", "where": [{1}, {2}]}}')
#: A row of numbers as text: how each is written, and what stands between them.
WRITTEN: Final[dict[str, tuple[Callable[[float], str], str]]] = {
    "JSON": (repr, ", "),
    "a table": (repr, "\n"),
    "words": (repr, " "),
    "comma-separated": (repr, ","),
    "short ones": (lambda one: f"{one:g}", ", "),
    "short words": (lambda one: f"{one:g}", " "),
}

Numbers = NDArray[np.float64]


def drawn(*shape: int) -> Numbers:
    """Numbers of -60..60 with digits to the end, at random."""
    whole = np.frombuffer(secrets.token_bytes(8 * int(np.prod(shape))), np.uint64)
    return (whole.astype(np.float64) / 2.0**64 * 120.0 - 60.0).reshape(shape)


def digits(count: int) -> str:
    return "".join(secrets.choice("0123456789") for _ in range(count))


def personal() -> Iterator[str]:
    """Lines that are no numbers."""
    for form in PERSONAL:
        yield form.format(secrets.token_urlsafe(48), digits(48), digits(48), digits(48))


class NumberMarker(Forms):
    """``fed`` are the lines of a feed of the channels level and secret, ``said`` those of a serial line of
    the channels x and y. Some of them are none.

    ``secret`` is always the same number: it is looked for by itself.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "touch.tflite").write_bytes(mean_of([1, WINDOW, 2], "uint8", SCALE, ZERO))
        self.secret = float(abs(drawn(1)[0]) + 1.0)
        self.none = list[str]()
        level, axes = drawn(LINES), drawn(LINES, 2)
        self.fed = list(self._mixed(level.tolist(), 8, self._fed_line))
        # No window goes over lines that are none: a few are to fit between them.
        self.said = list(self._mixed(axes.tolist(), 2 * WINDOW, lambda _, pair: f"{pair[0]!r}, {pair[1]!r}"))
        self._tell_row("fed", level)
        self._tell_row("fed pairs", np.stack([level, np.full(LINES, self.secret)], 1))
        self._tell_row("said", axes)
        self._tell_lines()
        self._tell_windows()
        self._tell_secret()

    def _fed_line(self, number: int, level: float) -> str:
        """In one of the ways in which a line may be written."""
        forms = ("{} {}", "level={} secret={}  # {}", "secret:{1},level:{0}")
        return forms[number % len(forms)].format(repr(level), repr(self.secret), secrets.token_urlsafe(24))

    def _mixed(self, numbers: list[Any], every: int, written: Callable[[int, Any], str]) -> Iterator[str]:
        """Each number's line, and behind one of ``every`` so many what is none."""
        for number, one in enumerate(numbers):
            yield written(number, one)
            if number % every == every - 1:
                self.none += (none := list(personal()))
                yield from none

    def _tell_lines(self) -> None:
        self.add("lines that are none", *(one.encode() for one in self.none))
        for name, lines, end in (("fed", self.fed, "\n"), ("said", self.said, "\r\n")):
            whole = end.join((*lines, *lines))
            self.add(f"{name}: lines", whole.encode())
            # Python keeps a text that stands beside a rarer letter in two bytes or four each.
            self.add(f"{name}: wide lines", whole.encode("utf-16-le"), whole.encode("utf-32-le"), plain=True)

    def _tell_row(self, name: str, numbers: Numbers) -> None:
        """Samples as a row: they are told over and over."""
        row = np.concatenate([numbers, numbers]).ravel()
        for dtype in ("<f8", "<f4", ">f8", ">f4"):
            packed = row.astype(dtype).tobytes()
            self.add(f"{name}: a row of {dtype}", packed, plain=dtype != "<f8")
        for code, form in ((b"\xcb", ">d"), (b"\xca", ">f")):
            packed = b"".join(code + struct.pack(form, one) for one in row)
            self.add(f"{name}: MessagePack of {form}", packed, plain=True)
        for what, (how, gap) in WRITTEN.items():
            self.add(f"{name}: {what}", gap.join(map(how, row.tolist())).encode(), plain=True)

    def _tell_windows(self) -> None:
        """What the worker makes of the lines that are numbers, for a quantised model."""
        lines = Lines({"x": Channel(), "y": Channel()}, 60.0)
        told = [lines.sample(one.encode(), 0.0) for one in (*self.said, *self.said)]
        samples = np.concatenate([one for one in told if one is not None])
        assert len(samples) == 2 * LINES, "lines that are none were taken for some, or the other way round"
        assert lines.bad == len(told) - len(samples)
        prepare = WindowPreparation(Window((1, WINDOW, 2), "uint8", SCALE, ZERO))
        windows = [samples[at : at + WINDOW] for at in range(0, len(samples), WINDOW)]
        self.add("said: windows", samples.tobytes())
        self.add("said: tensors", b"".join(prepare(one).tobytes() for one in windows))

    def _tell_secret(self) -> None:
        """One number by itself. In single precision two in a row: one has too few digits to tell."""
        text = repr(self.secret)[:14]
        self.needles += [
            ("secret: text", text.encode()),
            ("secret: float64", struct.pack("<d", self.secret)),
            ("secret: float64, turned round", struct.pack(">d", self.secret)),
            ("secret: float32, twice", 2 * struct.pack("<f", self.secret)),
        ]
