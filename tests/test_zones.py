"""``edged zones``: what is typed, drawn, served and written; and the whole way with a real source."""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edged.cli.zones import plan, sketch
from edged.cli.zones.drawing import Canvas, legend, picture, way
from edged.cli.zones.page import Server, document
from edged.cli.zones.plan import Plan
from edged.cli.zones.sketch import Outline
from edged.config.loading import load
from edged.config.shape import Line
from edged.errors import ConfigError, EdgedError, RefusedError, UnavailableError

SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
PLAIN = re.compile(r"\x1b\[[0-9;]*m")

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"

[clock]
trust = "always"

[pipelines.hall]
rate = 10.0

[pipelines.hall.source]
kind = "synthetic"
width = 320
height = 240
{more}

[pipelines.hall.zones]
door = [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]]

[pipelines.hall.lines.gate]
points = [[0.5, 0.0], [0.5, 1.0]]

[pipelines.air]
model = "none"

[pipelines.air.source]
kind = "feed"
channels = {{ co2 = {{ unit = "ppm" }} }}

[[pipelines.air.measures]]
kind = "level"
labels = ["co2"]
"""


def outline(columns: int, rows: int, *cells: tuple[int, int]) -> Outline:
    bits = bytearray(-(-columns * rows // 8))
    for x, y in cells:
        place = y * columns + x
        bits[place >> 3] |= 0x80 >> (place & 7)
    return Outline(columns, rows, bytes(bits))


# --- what is typed


def test_a_zone_and_a_line_are_typed_and_written_as_the_config_reads_them() -> None:
    drawn = plan.with_line(plan.with_zone(Plan(), "door 0.1,0.2 0.4,0.2 0.4,0.9"), "gate 0.5,0 0.5,1")
    found = tomllib.loads(plan.toml(drawn, "hall"))["pipelines"]["hall"]
    assert found["zones"] == {"door": [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]]}
    gate = {"points": [[0.5, 0.0], [0.5, 1.0]], "forward": "in", "backward": "out"}
    assert found["lines"] == {"gate": gate}


def test_what_is_written_is_a_config(tmp_path: Path) -> None:
    drawn = plan.with_line(plan.with_zone(Plan(), "door 0.1234567,0 1,0 1,1"), "gate 0,0.3 1,0.6 1,1")
    path = tmp_path / "edged.toml"
    text = CONFIG.format(more="")
    path.write_text(text[: text.index("[pipelines.hall.zones]")] + plan.toml(drawn, "hall"))
    found = load(path).pipelines["hall"]
    assert found.zones == {"door": ((0.123, 0.0), (1.0, 0.0), (1.0, 1.0))}
    assert found.lines == drawn.lines


def test_a_line_that_is_drawn_anew_keeps_the_names_of_its_ways() -> None:
    north = Line(points=((0.0, 0.0), (1.0, 1.0)), forward="north", backward="south")
    drawn = plan.with_line(Plan({}, {"gate": north}), "gate 0,0.5 1,0.5")
    assert drawn.lines["gate"] == msgspec.structs.replace(north, points=((0.0, 0.5), (1.0, 0.5)))


@pytest.mark.parametrize(
    ("verb", "rest", "said"),
    [
        ("zone", "door 0.1,0.2 0.4,0.2", "the zone door cannot be drawn"),
        ("zone", "door 0.1,0.2 0.4,0.2 0.4,1.5", "the zone door cannot be drawn"),
        ("zone", "door 0,0 1,1 1,0 0,1", "the zone door: "),
        ("zone", "Door 0,0 1,1 1,0", "is no name with points"),
        ("zone", "door 0;0 1,1 1,0", "is no name with points"),
        ("zone", "door nan,0 1,1 1,0", "cannot be drawn"),
        ("zone", "", "is no name with points"),
        ("line", "gate 0.5,0.5", "fewer than two different points"),
        ("line", "gate 0.5,0.5 0.5,0.5", "fewer than two different points"),
        ("line", "gate 0,0 1,2", "the line gate cannot be drawn"),
        ("line", "door 0,0 1,1", "the line door: there is a zone of that name"),
        ("zone", "way 0,0 1,1 1,0", "the zone way: there is a line of that name"),
        ("line", "gate 320,200 320,400", "the line gate cannot be drawn"),
        ("line", "gate 0,0 0,1", "lies along the picture's edge"),
        ("drop", "nobody", 'nothing is called "nobody"'),
        ("erase", "x", '"erase" is no command'),
    ],
)
def test_what_cannot_be_drawn_is_told_with_the_next_step(verb: str, rest: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan.changed(Plan({"door": SQUARE}, {"way": Line(points=((0, 0), (1, 1)))}), verb, rest)
    assert said in caught.value.message and caught.value.hint


def test_what_was_drawn_can_be_dropped() -> None:
    drawn = Plan({"door": SQUARE}, {"gate": Line(points=((0.0, 0.0), (1.0, 1.0)))})
    assert plan.changed(drawn, "drop", "door") == Plan({}, drawn.lines)
    assert plan.changed(drawn, "drop", "gate") == Plan(drawn.zones, {})


# --- what is drawn


def test_each_cell_is_one_dot_of_braille() -> None:
    lines = list(picture(outline(16, 8, (0, 0), (1, 3), (15, 7)), Plan(), 8 + 6))
    assert len(lines) == 3
    assert lines[1][5] == chr(0x2800 + 0x01 + 0x80)
    assert lines[2][-1] == chr(0x2800 + 0x80)


@pytest.mark.parametrize("width", [20, 47, 86, 200])
def test_no_edge_is_lost_in_a_narrow_terminal_and_no_line_is_wider(width: int) -> None:
    cells = [(x, y) for x in range(0, 160, 16) for y in range(0, 120, 30)]
    found = outline(160, 120, *cells)
    canvas = Canvas(found, width)
    assert len(canvas.dots) == len(cells)
    for line in picture(found, Plan({"door": SQUARE}, {}), width):
        assert len(PLAIN.sub("", line)) <= width


def test_a_small_outline_is_drawn_without_holes() -> None:
    full = outline(40, 30, *((x, y) for x in range(40) for y in range(30)))
    canvas = Canvas(full, 86)
    assert len(canvas.dots) == canvas.wide * canvas.high


def test_a_zone_is_drawn_where_it_is_and_named() -> None:
    lines = [PLAIN.sub("", one) for one in picture(outline(160, 80), Plan({"door": SQUARE}, {}), 86)]
    assert lines[0].split() == [f"0.{tenth}" for tenth in range(10)]
    assert "door" in lines[1 + 10]
    rows = [number for number, line in enumerate(lines[1:]) if any(one > "⠀" for one in line)]
    assert rows[0] == 5 and rows[-1] == 15
    assert lines[1 + 5][5 + 20] > "⠀" and lines[1 + 5][5 + 18] in " ·"


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ((0.1, 0.5), (0.9, 0.5), "down"),
        ((0.9, 0.5), (0.1, 0.5), "up"),
        ((0.5, 0.1), (0.5, 0.9), "to the left"),
        ((0.5, 0.9), (0.5, 0.1), "to the right"),
        ((0.1, 0.9), (0.9, 0.1), "down to the right"),
    ],
)
def test_forward_is_from_the_left_of_a_line_to_its_right(a: Any, b: Any, said: str) -> None:
    line = Line(points=(a, b), forward="north", backward="south")
    assert way(line) == said
    assert f"north is {said}, south is back" in PLAIN.sub("", "".join(legend(Plan({}, {"gate": line}))))


# --- the page


@pytest.fixture
def server() -> Iterator[Server]:
    drawn = Plan({"door": SQUARE}, {"gate": Line(points=((0.0, 0.0), (1.0, 1.0)))})
    one = Server(0, lambda nonce: document(outline(16, 8, (3, 3)), drawn, "hall", nonce))
    thread = threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield one
    one.shutdown()
    one.server_close()
    thread.join()


def asked(server: Server, path: str, method: str = "GET", body: bytes = b"", host: str = "") -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, path, body, {"Host": host or f"localhost:{server.server_port}"})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_the_page_holds_the_sketch_and_needs_nobody_else(server: Server) -> None:
    status, headers, body = asked(server, server.path)
    text = body.decode()
    assert status == 200 and headers["Cache-Control"] == "no-store"
    assert outline(16, 8, (3, 3)).bits.hex() in text and '"hall"' in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert f"'nonce-{server.nonce}'" in headers["Content-Security-Policy"]
    assert text.count(f'nonce="{server.nonce}"') == 2 and "@" not in re.sub(r"@media", "", text)
    assert not re.search(r"https?://|//[a-z]+\.", text)


def test_only_who_was_told_the_address_gets_anything(server: Server) -> None:
    for path in ("/", "/x/", server.path[:-1], server.path[:-2] + "/", server.path + "x"):
        assert asked(server, path)[0] == 404
    assert asked(server, server.path, host=f"somebody.example:{server.server_port}")[0] == 404
    assert asked(server, "/", "POST", b'{"zones": {}, "lines": {}}')[0] == 404
    assert not server.done.is_set()
    with pytest.raises(OSError):
        # Loopback is 127.0.0.0/8: it listens on one address of it.
        http.client.HTTPConnection("127.0.0.2", server.server_port, timeout=2).request("GET", "/")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"zones": {"A B": [[0, 0], [1, 0], [1, 1]]}}',
        b'{"zones": {"a": [[0, 0], [1, 0], [1, 2]]}}',
        b'{"zones": {"a": [[0, 0], [1, 1], [1, 0], [0, 1]]}}',
        b'{"lines": {"a": {"points": [[0, 0]]}}}',
        b"[" * 5000,
    ],
)
def test_what_is_no_drawing_is_told_so(server: Server, body: bytes) -> None:
    status, _, said = asked(server, server.path, "POST", body)
    assert (status, bool(said), server.done.is_set()) == (400, True, False)


def test_too_much_is_not_read(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest("POST", server.path)
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_the_drawing_comes_back(server: Server) -> None:
    drawn = {"zones": {"till": [[0, 0], [1, 0], [1, 1]]}, "lines": {}}
    assert asked(server, server.path, "POST", json.dumps(drawn).encode())[0] == 200
    assert server.done.wait(5)
    assert server.drawn == Plan({"till": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))}, {})


# --- what comes out of the process that looks is not believed


def said(**what: Any) -> bytes:
    good = {"columns": 16, "rows": 8, "bits": "00" * 16, "refused": "", "hint": "", "exit_code": 0}
    return json.dumps({**good, **what}).encode()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", RefusedError),
        (b"Segmentation fault", RefusedError),
        (said(bits="00"), RefusedError),
        (said(bits="zz" * 16), RefusedError),
        (said(columns=100000), RefusedError),
        (said(columns=-16, rows=-8), RefusedError),
        (said(columns="16"), RefusedError),
        (said(columns=16.0), RefusedError),
        (said(columns=1.5, rows=2, bits="00"), RefusedError),
        (said(columns=25600, rows=1, bits="00" * 3200), RefusedError),
        (said(columns=161, rows=8, bits="00" * 161), RefusedError),
        (said(columns=160, rows=160, bits="ff" * 3200), RefusedError),
        (said(bits="1f" + "ff" + "00" * 14), RefusedError),
        (said(columns=1, rows=9, bits="0001"), RefusedError),
        (said(refused=["x"]), RefusedError),
        (said(refused="it is not there", hint=5), RefusedError),
        (said(exit_code="4"), RefusedError),
        (b"[" * 5000, RefusedError),
        (said(lacking=5), RefusedError),
        (said(refused="it is not there", exit_code=4), UnavailableError),
        (said(refused="it cannot be", exit_code=3), RefusedError),
        (said(refused="a fault", exit_code=1), EdgedError),
    ],
)
def test_only_an_outline_passes(answer: bytes, kind: type) -> None:
    assert sketch._read(said(), "hall") == outline(16, 8)
    with pytest.raises(EdgedError) as caught:
        sketch._read(answer, "hall")
    assert type(caught.value) is kind and "hall" in caught.value.message


def test_a_sketch_has_as_many_edges_as_the_one_who_looks_allows_and_no_more() -> None:
    from edged.worker import outline as looking

    assert (sketch.SIDE, sketch.MOST) == (looking.SIDE, looking.MOST)
    whole = looking.packed(looking.sketch(np.random.default_rng(3).uniform(0, 255, (160, 160, 3))))
    assert sketch._read(msgspec.json.encode(whole), "hall").columns == 160
    assert sketch._read(said(bits="0fff" + "00" * 14), "hall").at(4, 0), "12 of 128"
    with pytest.raises(RefusedError):
        sketch._read(said(bits="1fff" + "00" * 14), "hall")


def test_words_of_the_process_that_looks_are_few_and_command_no_terminal() -> None:
    with pytest.raises(EdgedError) as caught:
        sketch._read(said(refused="\x1b]0;owned\x07" + "\u2588" * 5000, hint="a\nb" * 5000), "hall")
    assert caught.value.message == "hall: ?]0;owned?" + "?" * (400 - 10)
    assert len(caught.value.hint) == 400 and "\n" not in caught.value.hint


TALKS = (
    "import os, sys; sys.stdin.buffer.read()\nwhile True: os.write({}, b'P' * 65536)",
    "import os, time; os.close(1); time.sleep(600)",
    "import time; time.sleep(600)",
)


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (TALKS[0].format(1), RefusedError, "failed"),
        (TALKS[0].format(2), UnavailableError, "nothing to look at"),
        (TALKS[1], UnavailableError, "nothing to look at"),
        (TALKS[2], UnavailableError, "nothing to look at"),
        ("import os, signal; os.kill(os.getpid(), 40)", RefusedError, "(signal 40)"),
        ("import os; os.write(1, b'{\"columns\": 1}')", RefusedError, "failed"),
    ],
)
def test_one_that_talks_without_end_or_not_at_all_fills_nothing_and_is_ended(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: type, text: str
) -> None:
    """A question larger than a pipe, which not each of them reads."""
    monkeypatch.setattr(sketch, "COMMAND", (sys.executable, "-I", "-c", code))
    monkeypatch.setattr(sketch, "PATIENCE", 0.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(EdgedError) as caught:
        sketch._sketched(b"?" * 300_000, 3.0, "hall", {})
    assert type(caught.value) is kind and text in caught.value.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 20_000, "kB"


def test_what_the_kernel_lacks_is_said_in_words_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    sketch._read(said(lacking=["landlock", "\x1b[2J"]), "hall")
    assert capsys.readouterr().err == "who looks is less locked up here: this kernel has no landlock\n"
    sketch._read(said(lacking=[]), "hall")
    assert capsys.readouterr().err == ""


# --- nobody looks unnoted


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which no journald listens, and no edged is installed; where a unit would be."""
    from edged import journal

    monkeypatch.setattr(journal, "LISTENING", tmp_path / "none")
    monkeypatch.setattr(sketch, "UNITS", (tmp_path / "edged.service",))
    monkeypatch.setattr(sketch, "_of_service", lambda: None)
    return tmp_path


def looked_at(home: Path) -> str:
    """How it ends."""
    (home / "edged.toml").write_text(CONFIG.format(more=""))
    config = load(home / "edged.toml")
    try:
        return f"{sketch.looked(config, home / 'edged.toml', 'hall', 0.5).columns} columns"
    except EdgedError as error:
        return error.message


def test_where_a_service_is_installed_a_look_that_nothing_can_note_is_refused(
    silent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sketch, "_sketched", lambda *_: pytest.fail("somebody looked"))
    for unit, account in ((True, None), (False, (990, 990, [990]))):
        monkeypatch.setattr(sketch, "_of_service", lambda account=account: account)
        (silent / "edged.service").touch() if unit else (silent / "edged.service").unlink()
        assert "noted nowhere" in looked_at(silent)


def test_where_none_is_installed_it_is_its_owners_own_and_they_are_told(
    silent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sketch, "_sketched", lambda *_: outline(16, 8))
    assert looked_at(silent) == "16 columns"
    assert "so this is noted nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("takes", [True, False])
def test_what_journald_takes_is_noted_and_what_it_refuses_is_not(
    silent: Path, monkeypatch: pytest.MonkeyPatch, takes: bool
) -> None:
    from edged import journal

    said: list[str] = []

    def send(*fields: str) -> None:
        if not takes:
            raise OSError("full")
        said.extend(fields)

    (silent / "edged.service").touch()
    monkeypatch.setattr(journal, "LISTENING", silent / "edged.service")
    monkeypatch.setattr(journal, "_sender", lambda: send)
    monkeypatch.setattr(sketch, "_sketched", lambda *_: outline(16, 8))
    assert (looked_at(silent) == "16 columns") == takes
    assert ("EDGED_EVENT=outlined" in said) == takes


# --- the whole way


def edged(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edged", *words],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "edged.toml").write_text(CONFIG.format(more=""))
    return tmp_path


def test_a_scene_is_sketched_with_what_the_config_has_and_what_is_typed(home: Path) -> None:
    done = edged(home, "zones", "hall", "--zone", "till 0.6,0.6 0.9,0.6 0.9,0.9")
    assert done.returncode == 0, done.stderr
    shown, _, written = done.stdout.partition("# instead of")
    assert "0.0     0.1" in shown and "door" in shown and "till" in shown
    assert "in is to the left, out is back" in shown
    assert sum(one > "⠀" for one in shown) > 300
    found = tomllib.loads(written.partition("\n")[2])["pipelines"]["hall"]
    assert set(found["zones"]) == {"door", "till"} and set(found["lines"]) == {"gate"}
    assert sorted(one.name for one in home.iterdir()) == ["edged.toml"], "nothing is kept"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("hal",), 2, 'there is no pipeline "hal" in the config'),
        (("air",), 3, "gives no pictures"),
        (("hall", "--zone", "door"), 2, "cannot be drawn"),
    ],
)
def test_what_cannot_be_looked_at_is_told(home: Path, words: Any, code: int, said: str) -> None:
    done = edged(home, "zones", *words)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False)


def test_a_running_daemon_notes_that_somebody_looked(home: Path) -> None:
    assert edged(home, "keys", "init").returncode == 0
    with subprocess.Popen(
        [sys.executable, "-m", "edged", "run", "edged.toml"], cwd=home, stderr=subprocess.PIPE, text=True
    ) as daemon:
        try:
            deadline = time.monotonic() + 60
            while edged(home, "status").returncode and time.monotonic() < deadline:
                time.sleep(0.3)
            done = edged(home, "zones", "hall")
        finally:
            daemon.terminate()
        _, told = daemon.communicate(timeout=60)
    assert done.returncode == 0, done.stderr
    assert sum(one > "⠀" for one in done.stdout) > 300
    assert "hall: outlined: its owner looks at the outline of what it sees" in told


def test_who_may_change_nothing_may_not_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verb that lends is one of those that change something: see test_control.py for what that means."""
    from edged.control import Client
    from edged.daemon import Daemon
    from edged.errors import ControlError
    from edged.notify import Notifier
    from edged.reactor import Reactor

    (tmp_path / "edged.toml").write_text(CONFIG.format(more=""))
    config, reactor = load(tmp_path / "edged.toml"), Reactor()
    daemon = Daemon(reactor, tmp_path / "edged.toml", Notifier())
    daemon._config = config
    noted: list[str] = []
    monkeypatch.setattr(daemon, "_note", lambda *said, **_: noted.append(said[0]))
    with ExitStack() as stack:
        daemon.answer(stack)
        monkeypatch.setattr(Client, "privileged", property(lambda _: False, lambda *_: None), raising=False)
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(refused(config.daemon.runtime_dir)))
        asking.start()
        while asking.is_alive():
            reactor.turn(0.05)
    assert isinstance(answers[0], ControlError) and "only root" in answers[0].message
    assert noted == ["control-refused"]


def refused(runtime_dir: str) -> Any:
    from edged.control_client import ask
    from edged.errors import ControlError

    try:
        return ask(runtime_dir, "outline", pipeline="hall")
    except ControlError as error:
        return error


class Held:
    """A keeper of a camera that is at work."""

    name, in_recess = "hall", False

    def __init__(self, source: Any) -> None:
        from edged.config.shape import Pipeline

        self.pipeline = Pipeline(source=source)
        self.seconds: list[float] = []

    def recess(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.in_recess = bool(seconds)


def test_only_a_camera_has_to_be_let_go_of() -> None:
    from edged import recess
    from edged.config.shape import Camera, Synthetic, V4l2

    for source, waits in ((V4l2(), True), (Camera(), True), (Synthetic(), False)):
        held, noted = Held(source), list[tuple[str, str, str]]()

        def granted(held: Any = held, noted: Any = noted, **asked: Any) -> Any:
            return recess.grant([held], {"pipeline": "hall", **asked}, lambda *said: noted.append(said))

        assert granted(seconds=0) == {"wait": waits} and not held.seconds and not noted
        assert granted(seconds=20) == {"wait": waits} == granted(seconds=0)
        assert held.seconds == ([20.0, 0.0] if waits else [])
        assert [(one[0], one[2]) for one in noted] == [("outlined", "hall")]
        assert granted() == {"wait": waits} and held.seconds[2:] == ([120.0] if waits else []), "the longest"


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"pipeline": 5},
        {"pipeline": "a b"},
        {"pipeline": "a", "seconds": 1e9},
        {"pipeline": "a", "seconds": -1},
        {"pipeline": "a", "x": 1},
    ],
)
def test_a_wish_that_is_none_is_refused(asked: dict[str, Any]) -> None:
    from edged import recess
    from edged.errors import ControlError

    with pytest.raises(ControlError):
        recess.grant([], asked, lambda *_: None)


def test_in_a_terminal_it_asks_until_its_owner_is_done(home: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "edged", "zones", "hall"],
        cwd=home,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "100", "NO_COLOR": "1"},
    ) as asking:
        os.close(theirs)
        os.write(
            ours, b"zone till 0.6,0.6 0.9,0.6 0.9,0.9\nzone bad 5,5\nline gate 0,0.5 1,0.5\ndrop door\n\n"
        )
        said, _ = asking.communicate(timeout=120)
        os.close(ours)
    assert asking.returncode == 0, said
    assert "the zone bad cannot be drawn" in said and "in is down" in said
    found = tomllib.loads(said.partition("# instead of")[2].partition("\n")[2])["pipelines"]["hall"]
    assert set(found["zones"]) == {"till"} and found["lines"]["gate"]["points"] == [[0.0, 0.5], [1.0, 0.5]]


def test_root_looks_as_the_daemon_s_user(monkeypatch: pytest.MonkeyPatch) -> None:
    uid, gid = os.geteuid(), os.getegid()
    assert sketch._of_process(os.getpid()) == (uid, gid, os.getgroups())
    assert sketch._of_process(2**22 + 1) is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sketch, "_of_process", lambda _: (990, 991, [44, 991]))
    assert sketch._account(5) == {"user": 990, "group": 991, "extra_groups": [44, 991]}
    monkeypatch.setattr(sketch, "_of_process", lambda _: (0, 0, []))
    assert sketch._account(5) == {}, "a daemon that is root's own"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert sketch._account(5) == {}, "nobody else can become anybody"
