"""Step 8: pictures, sound and numbers that carry a marker go through the service as it is installed, and its
owner looks at an outline; nothing of them may be found on the machine afterwards, its journal included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from box import CHECKOUT, PYTHON, Box, config, pipeline

SOURCES = "/var/lib/edged/models/canary"
#: All that carries a marker, and each form of it, is made on the box, of noise that was never seen before;
#: forms and lines are kept in the share, which is not searched.
MAKE = """
import importlib, pickle, shutil, sys, types
from pathlib import Path
# There is no test library on a box; what writes the models asks it for modules only.
sys.modules["pytest"] = types.SimpleNamespace(importorskip=lambda name, **_: importlib.import_module(name))
sys.path.insert(0, SHARE + "/CHECKOUT/tests")
from marker import Marker
from number_marker import NumberMarker
from sound_marker import SoundMarker
shutil.rmtree("SOURCES", ignore_errors=True)
folder = Path("SOURCES")
markers = Marker(folder), SoundMarker(folder / "sound"), NumberMarker(folder / "numbers")
samples = [sample for one in markers for sample in one.samples()]
needles = [needle for one in markers for needle in one.needles]
Path(SHARE, "samples").write_bytes(pickle.dumps((samples, needles)))
Path(SHARE, "lines").write_text("".join(f"{one}\\n" for one in markers[2].fed))
"""
#: What somebody feeds, for as long as the chapter lasts; nobody's command line holds it.
FEED = """
import itertools, socket, time
from pathlib import Path
lines = Path(SHARE, "lines").read_bytes().splitlines()
out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
out.setblocking(False)
for line in itertools.cycle(lines):
    if not Path(SHARE, "lines").exists():
        break
    try:
        out.sendto(line, "/run/edged/feed/meter")
    except OSError:
        pass
    time.sleep(0.05)
"""
SEARCH = """
import json, pickle, subprocess, sys
from pathlib import Path
sys.path.insert(0, SHARE + "/CHECKOUT/tests")
from searcher import Searcher, of_file, of_folder, of_memory
samples, needles = pickle.loads(Path(SHARE, "samples").read_bytes())
searcher = Searcher(samples, needles)
hits, looked = [], 0

def look(place, pieces):
    global looked
    pieces = list(pieces)
    looked += sum(map(len, pieces))
    found = searcher.hits(str(place), pieces)
    hits.extend(f"{one.place}: {one.sample}" for one in found)
    return found

for top in ("/var", "/run", "/tmp", "/dev/shm", "/etc", "/root", "/home"):
    for path, pieces in of_folder(Path(top), SINCE, (Path(SHARE), Path("SOURCES"))):
        look(path, pieces)
# As text and whole: the journal's own files may be compressed.
said = subprocess.run(["journalctl", "--output=export", "--no-pager"], capture_output=True, check=True).stdout
look("the journal", [said])
for pid in DAEMON:
    look("the daemon's memory", of_memory(pid))
everything = len(hits)
seen = {str(pid): bool(look("a worker", of_memory(pid))) for pid in WORKERS}
planted = Path("/var/tmp/canary-planted")
planted.write_bytes(bytes(4096) + samples[0][1][1000:1300] + said[:10])
found = bool(look(planted, of_file(planted)))
planted.unlink()
print(json.dumps({"hits": hits[:everything], "workers": seen, "planted": found, "looked": looked}))
"""
PIPELINES = """
[models.uint8]
file = "SOURCES/uint8.tflite"
[models.int8]
file = "SOURCES/int8.tflite"
[pipelines.photos]
source = { kind = "file", path = "SOURCES/photos", loop = true, fps = 5.0 }
[pipelines.prints]
model = "uint8"
measures = [{ kind = "level" }]
source = { kind = "file", path = "SOURCES/prints", loop = true, fps = 5.0 }
[pipelines.film]
model = "int8"
measures = [{ kind = "level" }]
source = { kind = "file", path = "SOURCES/film.avi", loop = true, fps = 5.0 }
[models.ear]
file = "SOURCES/sound/ear.tflite"
sample_rate = 16000
[pipelines.voice]
model = "ear"
rate = 0
measures = [{ kind = "level" }]
source = { kind = "file", path = "SOURCES/sound/voice.wav", loop = true }
[pipelines.meter]
model = "none"
rate = 0
measures = [{ kind = "level", labels = ["level", "secret"] }]
source = { kind = "feed", channels = { level = {}, secret = {} } }
[pipelines.still]
enabled = false
source = { kind = "file", path = "SOURCES/still", loop = true, fps = 5.0 }
"""
NAMES = ("photos", "prints", "film", "voice", "meter")
SIGNALS = ("SEGV", "ABRT", "KILL", "BUS", "QUIT")


def filled(program: str, **numbers: object) -> str:
    for name, value in {"CHECKOUT": CHECKOUT, "SOURCES": SOURCES, **numbers}.items():
        program = program.replace(name, str(value))
    return program


@pytest.fixture
def since(box: Box) -> Iterator[float]:
    """The moment from which on the service looks at the marker; afterwards it does no longer."""
    box.at_work()
    moment = box.now() - 1
    box.python(filled(MAKE), limit=300)
    box.run(f"chmod -R a+rX {SOURCES}")
    box.configure(config() + filled(PIPELINES))
    box.run("systemctl reload edged", limit=120)
    (box.machine.share / "feed.py").write_text(f"SHARE = {str(box.machine.inside)!r}\n{FEED}")
    feeding = box.machine.begin(f"exec {PYTHON} '{box.machine.inside}/feed.py'", limit=900)
    yield moment
    (box.machine.share / "lines").unlink()
    feeding.wait(60)
    box.configure(config())
    box.run(f"systemctl reload edged; rm -rf {SOURCES}; systemctl restart edged", limit=120)


def test_nothing_of_a_picture_is_left_on_the_box(box: Box, since: float) -> None:
    box.until("the canary's pipelines count", lambda now: all(_analysed(now, one) > 20 for one in NAMES), 120)
    for name, how in zip(NAMES, SIGNALS, strict=True):
        one = pipeline(box.counting(), name)
        box.run(f"kill -{how} {one['pid']}")
        box.until("it is replaced", lambda now, name=name, one=one: _is_new(now, name, one), 120)
    shown = box.edged("zones still").out
    assert any(one > "\u2800" for one in shown), "no outline was drawn"
    status = box.counting(120)
    workers = [pipeline(status, name)["pid"] for name in NAMES]
    search = filled(SEARCH, SINCE=since, DAEMON=[status["pid"]], WORKERS=workers)
    said = json.loads(box.python(search, limit=600))
    assert said["planted"], "the searcher does not find what was planted"
    assert said["workers"] == {str(pid): True for pid in workers}, "no picture was found where there are some"
    assert said["hits"] == []
    box.figure("searched for pictures, sound and numbers", f"{said['looked'] / 1e6:.0f} MB", "none found")


def _analysed(status: dict[str, object], name: str) -> int:
    found = [one for one in status["pipelines"] if one["name"] == name]  # type: ignore[attr-defined]
    return int(found[0]["analysed"]) if found else 0


def _is_new(status: dict[str, object], name: str, before: dict[str, object]) -> bool:
    one = pipeline(status, name)
    return one["state"] == "running" and one["pid"] != before["pid"]
