"""The canary: pictures, sound and numbers that carry a marker go through the real daemon, workers and store,
and a picture through ``edged zones``; nothing of them may be found anywhere afterwards, in whatever form.

Workers are crashed so that they would leave a core, the config is reloaded, the disk is filled up, the
daemon is aborted and started again, and every byte that any of the processes writes is traced. ``make
test-canary`` plays an hour of each source (EDGED_CANARY is how many seconds); ``make test`` some seconds.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import number_marker
import pytest
import strace
from canary import Canary, Played, housed, in_the_clear
from emulation import EMULATED
from forms import any_of
from marker import Marker
from number_marker import NumberMarker
from searcher import Searcher, of_file, of_folder, of_memory
from sound_marker import RATE, WINDOW, SoundMarker
from tellers import Feeder, Line, Teller

from edged import feeds, rounding

SECONDS: Final = float(os.environ.get("EDGED_CANARY", "8"))
LONG: Final = SECONDS >= 600
FPS: Final = 5.0
#: Lines of numbers in a second of a source, and as they are told: the long one does not keep to the clock.
LINES, TOLD = 5.0, 200.0 if LONG else 25.0
#: The short one keeps to the clock, and leaves the processor to others.
PACE: Final = "fast" if LONG else "real"
FATAL: Final = (signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL, signal.SIGBUS, signal.SIGQUIT)
#: What is played together; the short one plays all at once.
RUNS: Final = ("pictures", "sound", "numbers") if LONG else ("everything",)
#: Whose workers are crashed, one after the other.
CRASHED: Final = {
    "everything": ("photos", "voice", "line", "film", "meter"),
    "pictures": ("photos", "floats", "prints", "film") * 3,
    "sound": ("voice", "whisper") * 3,
    "numbers": ("meter", "line") * 3,
}
MODEL: Final = '[models.{name}]\nfile = "{file}"\n{more}'
PIPELINE: Final = """
[pipelines.{name}]
model = "{model}"
rate = RATE
measures = [{{ kind = "{measure}"{labels} }}]
source = {{ {source} }}
"""
RECORDING: Final = 'kind = "file", path = "{}", pace = "{}", loop = true{}'


class Marked(NamedTuple):
    """All that carries a marker, below one folder."""

    pictures: Marker
    sound: SoundMarker
    numbers: NumberMarker
    folder: Path


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Marked:
    pytest.importorskip("flatbuffers", reason="models for tests are written with flatbuffers")
    if EMULATED:
        pytest.skip("an emulator's memory is not the program's")
    folder = tmp_path_factory.mktemp("marker") / "sources"
    return Marked(Marker(folder), SoundMarker(folder / "sound"), NumberMarker(folder / "numbers"), folder)


@pytest.fixture(scope="module")
def searcher(marked: Marked) -> Searcher:
    markers = marked[:3]
    return Searcher(
        [sample for one in markers for sample in one.samples()],
        [needle for one in markers for needle in one.needles],
    )


def pictures(marked: Marked) -> list[Played]:
    marker = marked.pictures
    models = {
        name: MODEL.format(name=name, file=marker.folder / f"{name}.tflite", more="")
        for name in ("uint8", "int8", "float32")
    }
    models["float32"] += "mean = [127.5]\nstd = [127.5]\n"
    played = [
        ("photos", "activity", "presence", marker.photos),
        ("floats", "float32", "level", marker.photos),
        ("prints", "uint8", "level", marker.prints),
        ("film", "int8", "level", marker.film),
    ]
    found = []
    for name, model, measure, path in played:
        source = RECORDING.format(path, PACE, ", fps = 5.0")
        part = PIPELINE.format(name=name, model=model, measure=measure, labels="", source=source)
        found.append(Played(name, models.get(model, "") + part, FPS, FPS))
    return found


def still(marked: Marked) -> str:
    """A pipeline that only its owner looks at."""
    source = RECORDING.format(marked.pictures.still, "fast", ", fps = 5.0")
    part = PIPELINE.format(name="still", model="activity", measure="presence", labels="", source=source)
    return part.replace("rate = RATE", "enabled = false")


def sound(marked: Marked) -> list[Played]:
    found = []
    for name, model in (("voice", "ear"), ("whisper", "small-ear")):
        file = marked.sound.folder / f"{model}.tflite"
        source = RECORDING.format(getattr(marked.sound, name), PACE, "")
        part = MODEL.format(name=model, file=file, more=f"sample_rate = {RATE}\n")
        part += PIPELINE.format(name=name, model=model, measure="level", labels="", source=source)
        found.append(Played(name, part, 2 * RATE / WINDOW))
    return found


def numbers(marked: Marked, line: Line) -> list[Played]:
    channels = "level = {}, secret = {}"
    fed = PIPELINE.format(
        name="meter",
        model="none",
        measure="level",
        labels=', labels = ["level", "secret"]',
        source=f'kind = "feed", channels = {{ {channels} }}',
    )
    touch = MODEL.format(name="touch", file=marked.numbers.folder / "touch.tflite", more="")
    said = PIPELINE.format(
        name="line",
        model="touch",
        measure="level",
        labels="",
        source=f'kind = "serial", device = "{line.name}", channels = {{ x = {{}}, y = {{}} }}',
    )
    return [Played("meter", fed, LINES), Played("line", touch + said, LINES / (number_marker.WINDOW / 2))]


# --- the searcher finds what there is to find


class Places:
    """Every kind of place that is searched, with something planted in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, data: bytes) -> Iterator[bytes]:
        (self.folder / "left").write_bytes(secrets.token_bytes(4097) + data + secrets.token_bytes(99))
        return of_file(self.folder / "left")

    def name(self, data: bytes) -> Iterator[bytes]:
        path = self.folder / data.hex()
        path.touch()
        yield from (piece for _, pieces in of_folder(self.folder, 0.0) for piece in pieces)
        path.unlink()

    def memory(self, data: bytes) -> Iterator[bytes]:
        """Of a process of which nothing but its standard input was told."""
        program = "import os, signal; held = os.read(0, 4096); os.close(1); signal.pause()"
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin and process.stdout
        try:
            process.stdin.write(data)
            process.stdin.close()
            process.stdout.read()
            yield from of_memory(process.pid)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def trace(self, data: bytes) -> Iterator[bytes]:
        """Of a grandchild's write that leads nowhere."""
        if why := strace.why_not():
            pytest.skip(why)
        log, given = self.folder / "log", self.folder / "given"
        given.write_bytes(data)
        command = [*strace.command(log), "sh", "-c", f"cat {given} >/dev/null; true"]
        subprocess.run(command, check=True)
        return strace.written(log)

    def store(self, data: bytes) -> Iterator[bytes]:
        """In an encrypted store, where only who has the key can see it."""
        from edged.store.database import Database

        path, key = self.folder / f"{secrets.token_hex(8)}.db", bytearray(secrets.token_bytes(32))
        database = Database(path, key)
        with database.transaction():
            database.write("CREATE TABLE planted (what BLOB)")
            database.write("INSERT INTO planted VALUES (?)", (data,))
        database.close()
        return in_the_clear(path, key, self.folder / "clear")


#: Of sound and numbers, where each takes a process; how a place is searched does not depend on what for.
EXAMPLES: Final = (": PCM", ": tensors", "that are none", "said: a row of <f8")


def planted_in(place: str, marked: Marked) -> Iterator[tuple[str, bytes]]:
    """(name, a part of it). In files every form; elsewhere none that is text."""
    for forms in marked[:3]:
        samples = dict(reversed(list(forms.samples())))  # the first of each name
        for name, data in samples.items():
            common = forms is marked.pictures or name.endswith(EXAMPLES)
            common &= place != "name" or f"{name}, in hex" in samples
            if place == "file" or (", in " not in name and common):
                yield name, data[:100] if place == "name" else any_of(data)
        if place in ("file", "memory"):
            yield from forms.needles


@pytest.mark.parametrize("place", ["file", "name", "memory", "trace", "store"])
def test_the_searcher_finds_a_marker_in_every_form_in_every_place(
    place: str, marked: Marked, searcher: Searcher, tmp_path: Path
) -> None:
    planted, unseen, count = getattr(Places(tmp_path), place), [], 0
    for name, data in planted_in(place, marked):
        count += 1
        if not searcher.hits(place, planted(data)):
            unseen.append(name)
    assert count > 30 and unseen == []


def test_the_searcher_finds_nothing_where_nothing_is(marked: Marked, searcher: Searcher) -> None:
    assert searcher.hits("noise", [secrets.token_bytes(8 << 20)]) == []
    assert searcher.hits("this process's libraries", of_file(Path(sys.executable).resolve())) == []
    numbers = " ".join(f"{one}, {one + 1}" for one in range(100_000)).encode()
    assert searcher.hits("numbers", [numbers, bytes(1 << 20), numbers.hex().encode()]) == []
    few = marked.numbers.fed[0][:10].encode("utf-32-le")  # as any table of small numbers may have them
    assert searcher.hits("ten letters", [bytes(64) + few + bytes(64)]) == []
    six = marked.pictures.forms["still: colours"][0][:24]
    assert searcher.hits("six numbers", [bytes(64) + six + bytes(64)]) == []


def test_what_numbers_may_leave_is_none_of_what_is_looked_for(marked: Marked, searcher: Searcher) -> None:
    """Means and extremes as the wall lets them pass are kept; who looks for more does not find these."""
    secret = marked.numbers.secret
    kept = [rounding.below(secret, ""), rounding.above(secret, ""), round(secret, 2), secret * 1.001]
    told = struct.pack("<4d", *kept) + struct.pack(">4d", *kept) + json.dumps(kept).encode()
    assert searcher.hits("what is kept", [told]) == []


# --- the run


@pytest.fixture
def line() -> Iterator[Line]:
    one = Line()
    yield one
    one.close()


@pytest.fixture(params=RUNS)
def canary(
    request: pytest.FixtureRequest, tmp_path: Path, marked: Marked, searcher: Searcher, line: Line
) -> Iterator[Canary]:
    run = request.param
    runs = {"pictures": pictures(marked), "sound": sound(marked), "numbers": numbers(marked, line)}
    played = runs[run] if run in runs else [one for each in runs.values() for one in each]
    with housed(tmp_path) as disk:
        one = Canary(tmp_path, searcher, marked.folder, played, disk)
        one.run, one.beside = run, still(marked) if "photos" in one.played else ""
        yield one
        one.end()


@pytest.fixture
def told(canary: Canary, marked: Marked, line: Line) -> Iterator[list[str]]:
    """Somebody tells numbers all the while, where a pipeline is there to be told: these."""
    if "meter" not in canary.played:
        yield []
        return
    feeder = Feeder(feeds.path(canary.box / "run", "meter"))
    tellers = [
        Teller(feeder.say, [one.encode() for one in marked.numbers.fed], TOLD),
        Teller(line.say, [f"{one}\r\n".encode() for one in marked.numbers.said], TOLD),
    ]
    yield marked.numbers.fed
    for teller in tellers:
        teller.close()
    feeder.close()


def test_nothing_of_a_picture_a_sound_or_a_line_is_left_anywhere(canary: Canary, told: list[str]) -> None:
    canary.configure()
    canary.start()
    if os.geteuid() == 0:  # a worker's memory is root's alone to read
        for name, pid in canary.workers().items():
            seen = canary.searcher.finds(of_memory(pid))
            assert seen, f"the searcher finds nothing in the worker of {name}, where it is"
    crashed = CRASHED[canary.run]
    for turn, name in enumerate(crashed):
        canary.play(SECONDS * (turn + 1) / (2 * len(crashed)))
        canary.crash(name, FATAL[turn % len(FATAL)])
        canary.look_into_daemon()
    if canary.beside:
        canary.look_at_outline("still")
    if told:
        canary.feed("meter", told)
    canary.fill_the_disk()
    canary.reload(**{crashed[-1]: 4.0})
    canary.look_into_daemon()
    canary.abort()
    canary.start()
    canary.play(SECONDS)
    canary.look_into_daemon()
    canary.stop()
    canary.search()
    print(canary.account())
    assert canary.hits == []
    assert canary.past_the_tracer() == []


# --- the outline

#: Who looks tells more than a sketch, and the command keeps, shows and writes all that it is told.
LEAKING: Final = """
import os, sys
from pathlib import Path
from edged.cli import main
from edged.cli.zones import sketch

WHO_LOOKS = '''
import os, msgspec
from edged.worker import outline
answer, shrunk, seen = outline.answer, outline.shrunk, []
outline.shrunk = lambda picture: shrunk(seen.append(picture) or picture)
outline.answer = lambda *asked: msgspec.structs.replace(
    answer(*asked), lacking=[one.tobytes()[:500].hex() for one in (seen[-1], shrunk(seen[-1]))]
)
os._exit(outline.main())
'''
read, kept = sketch._read, []
def leaking(said, pipeline):
    kept.append(said)
    print(said.decode())
    Path(os.environ["LEFT"]).write_bytes(said)
    return read(said, pipeline)
sketch.COMMAND, sketch._read = (sys.executable, "-I", "-c", WHO_LOOKS), leaking
sketch._of_service, sketch.UNITS = lambda: None, ()
main()
"""


def test_an_outline_that_tells_more_is_found_out(
    marked: Marked, searcher: Searcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the command's memory, on its terminal, in what is written, and in what it leaves behind."""
    left = Path("/dev/shm") / f"edged-canary-{secrets.token_hex(8)}"
    monkeypatch.setenv("LEFT", str(left))
    canary = Canary(tmp_path, searcher, marked.folder, [], None)
    canary.beside, canary.edged = still(marked), (sys.executable, "-c", LEAKING)
    canary.configure()
    try:
        canary.look_at_outline("still")
        canary.search_elsewhere([left.parent])
    finally:
        left.unlink(missing_ok=True)
    canary.search_traces()
    places = {"the memory of edged zones", "the terminal of edged zones", str(left)}
    places |= set() if canary.why_not_traced else {"written (trace-0)"}
    assert {one.place for one in canary.hits} == places
    assert {one.sample for one in canary.hits} == {"still: picture, in hex", "still: shrunk, in hex"}
