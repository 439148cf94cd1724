"""The checks of edged itself: a real daemon, real models and a real store; units and devices that are made
up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import media
import pytest
import sounds
from boards import Files, planted
from command import edged
from ladders import ladder

from edged.board.host import Host
from edged.doctor.case import Account, Case
from edged.doctor.checks import (
    config,
    control,
    daemon,
    delegate,
    hardening,
    key,
    model,
    source,
    store,
    versions,
)
from edged.doctor.finding import Finding
from edged.doctor.service import Process, Unit, children, parsed, process
from edged.doctor.visibility import hidden
from edged.view import WORDS

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"
[clock]
trust = "always"
[store]
commit_every = 1
[store.keep]
second = "1d"
{further}
[pipelines.scene]
source = {{ kind = "synthetic", width = 160, height = 120 }}
"""


def found(check: ModuleType, case: Case) -> dict[str, Finding]:
    """The findings by subject."""
    return {one.subject: one for one in check.examine(case) if isinstance(one, Finding)}


def case_of(folder: Path, further: str = "", **options: Any) -> Case:
    path = folder / "edged.toml"
    path.write_text(CONFIG.format(further=further))
    return Case(path, **options)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a daemon that has committed something."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "edged.toml").write_text(CONFIG.format(further=""))
    running = subprocess.Popen(
        [sys.executable, "-m", "edged", "run", "--init-key"], cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            status = edged("status", "--json", cwd=folder)
            if status.returncode == 0 and json.loads(status.stdout)["store"]["last_commit_age_s"] is not None:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("the daemon has not committed anything within a minute")
        time.sleep(2.5)  # a second that is over is committed once its successor is
        yield folder
    finally:
        running.terminate()
        running.wait(30)


# --- with a daemon


def test_a_daemon_in_the_foreground(home: Path) -> None:
    service = found(daemon, Case(home / "edged.toml"))[""]
    assert service.verdict == "ok"
    assert "in the foreground" in service.found
    assert (service.facts["answers"], service.facts["at_work"]) == (True, 1)


@pytest.mark.parametrize("why", list(WORDS))
def test_one_that_sees_nothing_is_not_called_slow(home: Path, why: str) -> None:
    """Frames come, but none is counted: nothing that a smaller model would mend."""
    case = Case(home / "edged.toml")
    assert case.status
    (scene,) = case.status["pipelines"]
    case.status["pipelines"] = [scene | {"state": "running", "fps": 0.0, "expected_fps": 5.0, "sight": why}]
    told = found(daemon, case)["scene"]
    assert (told.verdict, told.facts["sight"]) == ("warning", why)
    assert WORDS[why] in told.found
    assert told.fix == daemon.REMEDIES[why]


def test_its_config_is_in_force_until_it_is_changed(home: Path) -> None:
    path = home / "edged.toml"
    assert found(config, Case(path))["in force"].verdict == "ok"
    time.sleep(1.2)
    path.touch()
    changed = found(config, Case(path))["in force"]
    assert (changed.verdict, changed.fix) == ("warning", "edged reload")
    assert edged("reload", cwd=home).returncode == 0
    assert found(config, Case(path))["in force"].verdict == "ok"  # nothing is different, but it was read


def test_another_config_than_the_daemons(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(
        (home / "edged.toml")
        .read_text()
        .replace('"state"', f'"{home}/state"')
        .replace('"run"', f'"{home}/run"')
    )
    told = found(config, Case(other))["in force"]
    assert told.verdict == "note"
    assert told.facts["file"] == str(home / "edged.toml")


def test_its_socket(home: Path) -> None:
    case = Case(home / "edged.toml")
    assert found(control, case)[""].verdict == "ok"
    case.socket.chmod(0o666)
    try:
        assert found(control, case)[""].verdict == "failed"
    finally:
        case.socket.chmod(0o660)


def test_what_it_looks_at_is_proved_and_not_disturbed(home: Path) -> None:
    told = found(source, Case(home / "edged.toml"))["scene"]
    assert (told.verdict, told.facts["in_use"]) == ("ok", True)


def test_its_store_is_whole_while_it_writes(home: Path) -> None:
    told = found(store, Case(home / "edged.toml"))
    assert told[""].verdict == "ok"
    assert told[""].facts["whole"] is True
    assert told[""].facts["span"] is not None
    assert told["commits"].verdict == "ok"
    assert "whole" not in found(store, Case(home / "edged.toml", quick=True))[""].facts


def test_without_the_unit_nothing_is_hardened_and_nobody_claims_it(home: Path) -> None:
    (told,) = hardening.examine(Case(home / "edged.toml"))
    assert told.verdict == "note"
    assert told.facts["daemon"]["seccomp"] is False


def test_no_secret_is_told(home: Path) -> None:
    """Neither to people nor to programs, whatever is asked for."""
    done = edged("doctor", "--json", "--verbose", cwd=home)
    secret = (home / "state/key").read_text().strip()
    assert len(secret) == 64
    for piece in (secret, secret[:16], secret[-16:]):
        assert piece not in done.stdout + done.stderr


# --- the store and its key


@pytest.fixture
def stopped(home: Path, tmp_path: Path) -> Path:
    """A copy of the state without its daemon."""
    folder = tmp_path / "copy"
    (folder / "state").mkdir(parents=True, mode=0o700)
    (folder / "edged.toml").write_text(CONFIG.format(further=""))
    for _ in range(50):
        before = (home / "state/edged.db-wal").stat().st_mtime_ns
        for name in ("edged.db", "edged.db-wal", "key"):
            (folder / "state" / name).write_bytes((home / "state" / name).read_bytes())
        if (home / "state/edged.db-wal").stat().st_mtime_ns == before:
            break
    (folder / "state/key").chmod(0o400)
    assert edged("report", "--json", cwd=folder).returncode == 0
    return folder


def test_a_stopped_one(stopped: Path) -> None:
    case = Case(stopped / "edged.toml")
    assert found(daemon, case)[""].verdict == "note"
    assert found(control, case)[""].verdict == "note"
    assert found(store, case)[""].facts["whole"] is True
    assert found(key, case)[""].verdict == "note"  # it lies beside the store


def test_a_damaged_store(stopped: Path) -> None:
    file = stopped / "state/edged.db"
    (stopped / "state/edged.db-wal").unlink()
    content = bytearray(file.read_bytes())
    content[-700] ^= 1
    file.write_bytes(content)
    told = found(store, Case(stopped / "edged.toml"))[""]
    assert told.verdict == "failed"
    assert told.fix


def test_another_stores_key(stopped: Path) -> None:
    (stopped / "state/key").unlink()
    assert edged("keys", "init", "state/key", cwd=stopped).returncode == 0
    case = Case(stopped / "edged.toml")
    told = found(store, case)[""]
    assert told.verdict == "failed"
    assert "key does not open" in told.found


def test_a_key_that_others_can_read(stopped: Path) -> None:
    (stopped / "state/key").chmod(0o444)
    told = found(key, Case(stopped / "edged.toml"))[""]
    assert told.verdict == "failed"
    assert "chmod 0400" in told.fix


def test_a_lost_key(stopped: Path) -> None:
    (stopped / "state/key").unlink()
    assert found(key, Case(stopped / "edged.toml"))[""].verdict == "failed"
    assert found(store, Case(stopped / "edged.toml"))[""].verdict == "cannot tell"


def test_before_the_first_start(tmp_path: Path) -> None:
    case = case_of(tmp_path)
    assert found(key, case)[""].verdict == "note"
    assert found(store, case)[""].verdict == "ok"


# --- the config


def test_all_problems_are_told(tmp_path: Path) -> None:
    told = found(config, case_of(tmp_path, "[daemons]\n[more]\n"))[""]
    assert told.verdict == "failed"
    assert len(told.facts["problems"]) == len(told.details) == 2


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    assert found(config, Case(tmp_path / "none.toml"))[""].verdict == "failed"


def test_nothing_enabled(tmp_path: Path) -> None:
    case = case_of(tmp_path)
    case.config_path.write_text(case.config_path.read_text() + "enabled = false\n")  # type: ignore[union-attr]
    told = found(config, Case(case.config_path))[""]
    assert told.verdict == "warning" or "enabled" in told.found


# --- sources

CAMERA = '[pipelines.hall]\nsource = {{ kind = "v4l2", device = "{}" }}\n'
FILE = '[pipelines.film]\nsource = {{ kind = "file", path = "{}" }}\n'


def test_a_camera_that_is_not_there_and_those_that_are(tmp_path: Path) -> None:
    host = Host(planted(tmp_path / "root", {"sys/class/video4linux/video3/name": "HD Webcam C270\n"}))
    told = found(source, case_of(tmp_path, CAMERA.format("/dev/video9"), host=host))["hall"]
    assert told.verdict == "failed"
    assert "/dev/video3 (HD Webcam C270)" in told.found


def test_a_node_that_is_no_camera(tmp_path: Path) -> None:
    told = found(source, case_of(tmp_path, CAMERA.format("/dev/null")))["hall"]
    assert told.verdict == "failed"
    assert "no camera" in told.found


SILENT = '[pipelines.room]\nsource = {{ kind = "microphone", device = "{}" }}\nmodel = "ear"\n'
EAR = '[models.ear]\nfile = "/nowhere/ear.tflite"\n'


def test_a_microphone_that_is_there_and_one_that_is_not(tmp_path: Path) -> None:
    if not Path("/usr/share/alsa/alsa.conf").exists():
        pytest.skip("ALSA is not installed")
    there = found(source, case_of(tmp_path, EAR + SILENT.format("null")))["room"]
    assert there.verdict == "ok", there
    assert there.facts["device"] == "null"
    missing = found(source, case_of(tmp_path, EAR + SILENT.format("hw:CARD=Nobody")))["room"]
    assert missing.verdict == "failed"
    assert "there is no microphone" in missing.found


def test_a_unit_that_allows_no_microphone(tmp_path: Path) -> None:
    case = case_of(tmp_path, EAR + SILENT.format("null"))
    case.unit = Unit({"LoadState": "loaded", "DevicePolicy": "closed", "DeviceAllow": "char-video4linux rw"})
    told = found(source, case)["room"]
    assert told.verdict == "failed"
    assert "DeviceAllow=char-alsa" in told.found


def test_files(tmp_path: Path) -> None:
    film = tmp_path / "film.avi"
    missing = found(source, case_of(tmp_path, FILE.format(film)))["film"]
    media.movie(film)
    there = found(source, case_of(tmp_path, FILE.format(film)))["film"]
    folder = found(source, case_of(tmp_path, FILE.format(media.folder(tmp_path / "album"))))["film"]
    assert (missing.verdict, there.verdict, folder.verdict) == ("failed", "ok", "ok")
    assert (there.facts["size"], folder.facts["folder"]) == (film.stat().st_size, True)


HEARING = """
[models.ear]
file = "{model}"
labels = ["song", "hum"]
sample_rate = 16000
[pipelines.p]
model = "{name}"
source = {{ {source} }}
"""


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("ear", 'kind = "synthetic"', "takes 15600 samples at a time, and a source of kind synthetic gives"),
        ("ear", 'kind = "v4l2", device = "/dev/video0"', ""),
        ("ear", 'kind = "file", path = "burger.png"', "holds no sound, only: video"),
        ("ear", 'kind = "file", path = "song.wav"', "readable"),
        ("ear", 'kind = "feed", channels = { a = {} }', "its socket"),
        ("activity", 'kind = "file", path = "song.wav"', "song.wav holds no picture"),
        ("activity", 'kind = "file", path = "none.avi"', "none.avi"),
    ],
)
def test_a_source_that_cannot_give_what_the_model_takes(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    """The doctor says what a worker says, by the worker's own code."""
    (tmp_path / "ear.tflite").write_bytes(sounds.ear([(2000.0, 5000.0), (30.0, 400.0)]))
    media.still(tmp_path / "burger.png", media.picture(1))
    sounds.recording(tmp_path / "song.wav", [(1.0, 2.0)], 4.0, "song")
    (tmp_path / "none.avi").write_bytes(b"x" * 100)
    further = HEARING.format(model=tmp_path / "ear.tflite", name=name, source=text)
    told = found(source, case_of(tmp_path, further))["p"]
    good = said in ("readable", "its socket")
    assert (told.verdict, said in told.found) == ("ok" if good else "failed", True), told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try things as another user")
def test_what_root_may_read_and_the_service_may_not(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"x")
    film.chmod(0o600)
    case = case_of(tmp_path, FILE.format(film))
    case.unit = Unit({"LoadState": "loaded", "User": "nobody"})
    told = found(source, case)["film"]
    if "cannot be started as nobody" in told.found:
        pytest.skip("this Python lies where no other user can run it")
    assert told.verdict == "failed"
    assert "by the user nobody" in told.found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try things as another user")
def test_a_python_that_the_service_may_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was tried, so nothing is known."""
    (tmp_path / "python").symlink_to(sys.executable)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(Case, "interpreter", str(tmp_path / "python"))
    case = case_of(tmp_path, FILE.format(tmp_path))
    case.unit = Unit({"LoadState": "loaded", "User": "nobody"})
    assert found(source, case)["film"].verdict == "cannot tell"
    assert found(model, case)["activity"].verdict == "cannot tell"


def test_a_camera_that_the_unit_closes(tmp_path: Path) -> None:
    case = case_of(tmp_path, CAMERA.format("/dev/null"))
    case.unit = Unit({"LoadState": "loaded", "DevicePolicy": "closed", "DeviceAllow": "char-alsa rw"})
    assert "DeviceAllow=char-video4linux" in found(source, case)["hall"].found
    case.unit = Unit({"LoadState": "loaded", "PrivateDevices": "yes"})
    assert "PrivateDevices=yes" in found(source, case)["hall"].found


def test_no_pipeline_and_no_config_differ(tmp_path: Path) -> None:
    assert found(source, Case(None))[""].verdict == "note"
    assert found(model, Case(tmp_path / "none.toml"))[""].verdict == "cannot tell"


# --- what the unit hides

UNIT = {
    "LoadState": "loaded",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "TemporaryFileSystem": "/run:ro /var:ro",
    "BindPaths": "/run/edged /var/lib/edged",
    "BindReadOnlyPaths": "-/media/clips:/srv/clips:norbind",
    "InaccessiblePaths": "-/boot -/srv",
}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/home/pi/a.mp4", "ProtectHome=yes"),
        ("/root/a.mp4", "ProtectHome=yes"),
        ("/tmp/a.mp4", "PrivateTmp=yes"),
        ("/var/tmp/a.mp4", "PrivateTmp=yes"),
        ("/var/www/a.mp4", "TemporaryFileSystem="),
        ("/boot/a.mp4", "InaccessiblePaths="),
        ("/var/lib/edged/models/a.tflite", ""),
        ("/srv/clips/a.mp4", ""),
        ("/media/usb/a.mp4", ""),
        ("/homes/a.mp4", ""),
    ],
)
def test_the_units_view(tmp_path: Path, path: str, line: str) -> None:
    case = case_of(tmp_path)
    case.unit = Unit(UNIT)
    assert line in hidden(case, path)
    assert bool(hidden(case, path)) is bool(line)


def test_without_a_unit_nothing_is_hidden(tmp_path: Path) -> None:
    assert hidden(case_of(tmp_path), "/home/pi/a.mp4") == ""


# --- models


def test_the_bundled_model(tmp_path: Path) -> None:
    told = found(model, case_of(tmp_path))["activity"]
    assert told.verdict == "ok"
    assert told.facts["decoder"] == "activity"
    assert told.facts["seconds"] > 0


def test_real_models(tmp_path: Path, shared: Path) -> None:
    ssd = shared / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
    bad = shared / "models/model_invoking_error.tflite"
    exchanged = tmp_path / ssd.name
    exchanged.write_bytes((shared / "models/mobilenet_v1_0.25_128_quant.tflite").read_bytes())
    further = "".join(
        f'[models.{name}]\nfile = "{file}"\n'
        f'[pipelines.p-{name}]\nmodel = "{name}"\nsource = {{ kind = "synthetic" }}\n'
        for name, file in (("ssd", ssd), ("bad", bad), ("other", exchanged))
    )
    told = found(model, case_of(tmp_path, further))
    assert (told["ssd"].verdict, told["ssd"].facts["catalogue"]) == ("ok", "coco-ssd-mobilenet-v1")
    assert told["ssd"].facts["labels"] == 90
    assert told["bad"].verdict == "failed"
    assert "fake-op-double" in told["bad"].found
    assert told["other"].verdict == "failed"
    assert "other bytes" in told["other"].found


def test_a_measure_that_the_model_cannot_give_is_told_before_the_daemon_refuses(tmp_path: Path) -> None:
    (judge,) = ladder(tmp_path, 32)
    name = Path(judge.file).stem
    known = f'[models.{name}]\nfile = "{name}.tflite"\ndecoder = "classifier"\nlabels = ["dark", "bright"]\n'
    asked = {
        "good": 'kind = "presence"\nlabels = ["dark"]',
        "label": 'kind = "presence"\nlabels = ["darc"]',
        "kind": 'kind = "occupancy"',
    }
    pipelines = "".join(
        f'[pipelines.{one}]\nmodel = "{name}"\nsource = {{ kind = "synthetic" }}\n'
        f"[[pipelines.{one}.measures]]\n{keys}\n"
        for one, keys in asked.items()
    )
    told = found(model, case_of(tmp_path, known + pipelines))
    assert told[name].verdict == "ok"
    assert "unsuited" not in told[name].facts
    assert "good" not in told
    assert told["label"].verdict == told["kind"].verdict == "failed"
    assert 'measure 1 asks for "darc", which the model does not know' in told["label"].found
    assert '"dark"' in told["label"].fix
    assert "asks for occupancy, but the model gives classes" in told["kind"].found


def rungs(folder: Path, *sizes: int, keys: str = "") -> str:
    """A config's ladder of judges (tests/ladders.py), in the order of ``sizes``."""
    names = [Path(one.file).stem for one in ladder(folder, *sizes)]
    models = "".join(
        f'[models.{one}]\nfile = "{one}.tflite"\ndecoder = "classifier"\nlabels = ["dark", "bright"]\n'
        for one in names
    )
    first, *rest = names
    return f'{models}[pipelines.street]\nsource = {{ kind = "synthetic" }}\nmodel = "{first}"\n' + (
        f"ladder = {json.dumps(rest)}\n{keys}\n"
    )


def test_every_rung_of_a_ladder_is_tried(tmp_path: Path) -> None:
    told = found(model, case_of(tmp_path, rungs(tmp_path, 512, 32)))
    assert [told[one].verdict for one in ("judge512", "judge32", "street")] == ["ok"] * 3
    assert list(told["street"].facts["ladder"]) == ["judge512", "judge32"]
    (tmp_path / "judge32.tflite").write_bytes(b"no model")
    told = found(
        model, case_of(tmp_path, rungs(tmp_path, 512, 32).replace("judge32.tflite", "spoilt.tflite"))
    )
    assert told["judge32"].verdict == "failed" and "street" not in told


def test_a_ladder_that_goes_up_is_told_of(tmp_path: Path) -> None:
    told = found(model, case_of(tmp_path, rungs(tmp_path, 32, 1024)))["street"]
    assert told.verdict == "warning" and "judge1024 is slower than judge32" in told.found


@pytest.mark.parametrize(
    ("keys", "slow"),
    [
        ("rate = 100.0", []),
        ("rate = 240.0", ["last"]),
        ("rate = 100.0\nleast_rate = 20.0", ["first"]),
    ],
    ids=["a cheaper one is quick enough", "none is quick enough", "the dear one cannot keep the least rate"],
)
def test_only_the_last_rung_must_keep_the_rate(tmp_path: Path, keys: str, slow: list[str]) -> None:
    """Of 100 and 5 ms a frame."""
    case = case_of(tmp_path, rungs(tmp_path, 64, 32, keys=keys))
    seconds = {"first": 0.1, "last": 0.005}
    names = {"first": "judge64", "last": "judge32"}
    assert [one for one in seconds if model._slow(case, names[one], seconds[one])] == slow


def test_a_model_that_ends_its_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(Case, "interpreter", str(crashing))
    told = found(model, case_of(tmp_path))["activity"]
    assert told.verdict == "failed"
    assert "SIGSEGV" in told.found


# --- the Edge TPU


def test_a_coral_on_usb(tmp_path: Path) -> None:
    usb = "sys/bus/usb/devices/2-1"
    identity: Files = {f"{usb}/idVendor": "18d1\n", f"{usb}/idProduct": "9302\n", f"{usb}/speed": "480\n"}
    place: Files = {f"{usb}/busnum": "2\n", f"{usb}/devnum": "3\n", "dev/bus/usb/002/003": ""}
    files = identity | place
    host = Host(planted(tmp_path / "root", files))
    unused = found(delegate, case_of(tmp_path, host=host))[""]
    assert unused.verdict == "note"
    assert unused.facts["devices"] == [
        {"node": "/dev/bus/usb/002/003", "what": "USB, ready, at 480 Mbit/s: a blue USB 3 port is faster"}
    ]


TPU = '[models.activity]\nfile = "builtin:activity"\nedgetpu_file = "x_edgetpu.tflite"\n'


def test_a_coral_that_is_wanted_and_not_there(tmp_path: Path) -> None:
    told = found(delegate, case_of(tmp_path, TPU, host=Host(tmp_path)))
    assert (told[""].verdict, told[""].facts["wanted"]) == ("warning", ["activity"])
    assert told["library"].verdict in ("ok", "warning")


def test_a_coral_that_a_rung_wants(tmp_path: Path) -> None:
    """A ladder's other models count too; on a rung for the CPU its Coral has nothing to do."""
    two = '[models.plain]\nfile = "builtin:activity"\n' + TPU
    street = '[pipelines.street]\nsource = { kind = "synthetic" }\nmodel = "plain"\nladder = ["activity"]\n'
    case = case_of(tmp_path, two + street, host=Host(tmp_path))
    case.config.pipelines.pop("scene")
    asked: dict[str, Any] = {
        "name": "street",
        "delegate": "cpu",
        "runtime": "litert",
        "cpu_because": "it is hot",
    }
    case.status = {"pipelines": [{**asked, "course": {"model": "plain"}}]}
    told = found(delegate, case)
    assert told[""].facts["wanted"] == ["activity"]
    assert (told["street"].verdict, told["street"].facts) == ("ok", {"model": "plain"})
    case.status = {"pipelines": [{**asked, "course": {"model": "activity"}}]}
    assert "it is hot" in found(delegate, case)["street"].found


def test_a_pcie_coral_without_its_driver(tmp_path: Path) -> None:
    pci = "sys/bus/pci/devices/0000:01:00.0"
    host = Host(planted(tmp_path / "root", {f"{pci}/vendor": "0x1ac1\n", f"{pci}/device": "0x089a\n"}))
    told = found(delegate, case_of(tmp_path, TPU, host=host))[""]
    assert told.verdict == "warning"
    assert "no driver" in told.found


# --- versions


@pytest.mark.parametrize(
    ("parts", "tpu", "verdicts"),
    [
        ({"ai-edge-litert": "2.3.0", "numpy": "2.4.6"}, False, []),
        ({"tflite-runtime": "2.14.0", "numpy": "1.26.4"}, False, []),
        ({"tflite-runtime": "2.14.0", "numpy": "2.0.0"}, False, ["failed"]),
        ({"tflite-runtime": "2.14.0", "numpy": "1.26.4", "libedgetpu": "16.0"}, True, ["warning"]),
        ({"tflite-runtime": "2.14.0", "numpy": "1.26.4", "libedgetpu": "16.0"}, False, []),
        ({"tflite-runtime": "2.11.0", "numpy": "1.26.4", "libedgetpu": "16.0"}, True, []),
        ({"tflite-runtime": "2.17.1", "numpy": "1.26.4", "libedgetpu": "16.0tf2.17.1-1"}, True, []),
        ({"tflite-runtime": "2.14.0", "numpy": "1.26.4", "libedgetpu": "16.0tf2.17.1"}, True, ["warning"]),
        ({"ai-edge-litert": "2.3.0", "numpy": "2.4.6", "libedgetpu": "16.0"}, True, ["warning"]),
    ],
)
def test_known_bad_pairs(parts: dict[str, str], tpu: bool, verdicts: list[str]) -> None:
    if sys.version_info >= (3, 12) and "tflite-runtime" in parts:
        verdicts = (
            [*verdicts[:1], "warning", *verdicts[1:]]
            if verdicts[:1] == ["failed"]
            else ["warning", *verdicts]
        )
    assert [one.verdict for one in versions.known_bad(parts, tpu)] == verdicts


@pytest.mark.parametrize(
    ("text", "numbers"), [("2.11.0-rc1", (2, 11, 0)), ("1:16.0-2", (16, 0)), ("", ()), ("x", ())]
)
def test_numbers_of_a_version(text: str, numbers: tuple[int, ...]) -> None:
    assert versions.numbers(text) == numbers


def installed(root: Path, *names: str, current: str) -> Host:
    for name in names:
        (root / "opt/edged/versions" / name).mkdir(parents=True)
    (root / "opt/edged/current").symlink_to(f"versions/{current}")
    return Host(root)


def test_versions_side_by_side(tmp_path: Path) -> None:
    host = installed(tmp_path / "a", "0.1.0-aaa", "0.2.0-bbb", current="0.2.0-bbb")
    assert found(versions, case_of(tmp_path, host=host))[""].verdict == "ok"
    back = installed(tmp_path / "b", "0.1.0-aaa", "0.10.0-bbb", "0.9.0-ccc", current="0.9.0-ccc")
    told = found(versions, case_of(tmp_path, host=back))[""]
    assert told.verdict == "note"
    assert "0.10.0-bbb" in told.found
    planted(tmp_path / "a", {"opt/edged/trial": "0.1.0-aaa\n"})
    assert found(versions, case_of(tmp_path, host=host))[""].facts["trial"] is True


def test_a_daemon_of_the_version_before(tmp_path: Path) -> None:
    host = installed(tmp_path / "root", "0.1.0-aaa", "0.2.0-bbb", current="0.2.0-bbb")
    planted(tmp_path / "root", {"proc/77/cmdline": b"/opt/edged/versions/0.1.0-aaa/bin/python\0-I\0/x\0"})
    case = case_of(tmp_path, host=host)
    case.daemon = Process(77, {"Uid": "0 0 0 0", "Gid": "0 0 0 0", "Groups": ""})
    told = found(versions, case)[""]
    assert told.verdict == "warning"
    assert told.facts["running"] == "0.1.0-aaa"


# --- hardening

SHIPPED = """
[Unit]
Description=x
[Service]
NoNewPrivileges=yes
DeviceAllow=char-a rw
DeviceAllow=char-b rw
RestartSec=5s
"""
STATUS = """\
Name:\tedged
State:\tS (sleeping)
PPid:\t{parent}
Uid:\t990\t990\t990\t990
Gid:\t990\t990\t990\t990
Groups:\t\x20
CapEff:\t0000000000000000
CapBnd:\t{bound}
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t{seccomp}
"""
QUIET_NET = "Inter-|   Receive\n face |bytes\n    lo:       0       0\n"


def hardened(
    root: Path, drop_in: str = "", seccomp: str = "2", bound: str = "0" * 16, net: str = QUIET_NET
) -> Case:
    unit = "usr/local/lib/systemd/system/edged.service"
    files: Files = {
        unit: SHIPPED,
        f"{unit}.d/newer.conf": "[Service]\nType=notify-reload\n",
        "etc/systemd/system/edged.service.d/mine.conf": f"[Service]\n{drop_in}\n",
    }
    for pid, parent in ((100, 1), (101, 100)):
        files[f"proc/{pid}/status"] = STATUS.format(parent=parent, seccomp=seccomp, bound=bound)
        files[f"proc/{pid}/net/dev"] = net
        files[f"proc/{pid}/limits"] = (
            "Max core file size         0                    0                    bytes\n"
        )
    case = case_of(root, host=Host(planted(root / "root", files)))
    drop_ins = f"/{unit}.d/newer.conf" + (" /etc/systemd/system/edged.service.d/mine.conf" if drop_in else "")
    case.unit = Unit(
        {"LoadState": "loaded", "MainPID": "100", "FragmentPath": f"/{unit}", "DropInPaths": drop_ins}
    )
    return case


def test_all_of_it_in_force(tmp_path: Path) -> None:
    told = found(hardening, hardened(tmp_path))
    assert (told[""].verdict, told["unit"].verdict) == ("ok", "ok")
    assert [one["pid"] for one in told[""].facts["workers"]] == [101]
    assert told[""].facts["lacking"] == {"daemon": [], "worker 101": []}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seccomp": "0"}, "system calls"),
        ({"bound": "00000000a80425fb"}, "CapBnd a80425fb"),
        ({"net": QUIET_NET + "  eth0:  12 1\n"}, "eth0"),
    ],
)
def test_what_is_not_in_force(tmp_path: Path, change: dict[str, str], said: str) -> None:
    told = found(hardening, hardened(tmp_path, **change))[""]
    assert told.verdict == "failed"
    assert len(told.details) == 2
    assert said in told.details[0]


@pytest.mark.parametrize(
    ("drop_in", "verdict", "said"),
    [
        ("MemoryMax=300M\nRestartSec=9s", "ok", ""),
        ("NoNewPrivileges=yes", "ok", ""),
        ("NoNewPrivileges=no", "warning", "NoNewPrivileges=no"),
        ("DeviceAllow=\nDeviceAllow=char-c rw", "warning", "DeviceAllow=char-c rw"),
        ("PrivateNetwork=no", "warning", "PrivateNetwork=no"),
        ("ExecStart=\nExecStart=/bin/sh", "ok", ""),
    ],
)
def test_drop_ins_that_weaken_it_are_named(tmp_path: Path, drop_in: str, verdict: str, said: str) -> None:
    told = found(hardening, hardened(tmp_path, drop_in))["unit"]
    assert told.verdict == verdict
    assert said in " ".join(told.details)


def test_the_settings_of_a_unit() -> None:
    text = "[Unit]\nA=1\n[Service]\n# B=2\nC = 3 \\\n  4\nD=\nD=5\n[Install]\nE=6\n"
    assert hardening.settings(text) == {"C": ["3  4"], "D": ["", "5"]}


# --- processes and accounts


def test_ourselves() -> None:
    me = process(Path("/proc"), os.getpid())
    assert me is not None
    assert (me.uid, me.gid, sorted(me.groups)) == (os.geteuid(), os.getegid(), sorted(os.getgroups()))
    child = subprocess.Popen(["sleep", "100"])
    try:
        assert child.pid in [one.pid for one in children(Path("/proc"), os.getpid())]
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "want", "may"),
    [
        (7, 7, 0o600, 4, True),
        (7, 7, 0o200, 4, False),
        (8, 9, 0o640, 4, True),  # by a further group
        (8, 9, 0o640, 2, False),
        (8, 8, 0o604, 4, True),
        (8, 9, 0o604, 4, False),  # the group's bits count for its members, not everybody's
        (8, 9, 0o060, 6, True),
        (8, 9, 0o040, 6, False),
    ],
)
def test_what_an_account_may(uid: int, gid: int, mode: int, want: int, may: bool) -> None:
    about = os.stat_result((mode, 0, 0, 1, 7 if uid == 7 else 70, 9, 0, 0, 0, 0))
    assert Account("x", uid, gid, (9,) if gid == 9 else ()).may(about, want) is may


def test_what_is_seen_of_a_machine_with_systemd(tmp_path: Path) -> None:
    """Nothing is asked where systemd does not run."""
    assert not Case(None, host=Host(tmp_path)).unit.systemd


def test_what_systemctl_shows_several_times_is_one_text() -> None:
    """As systemd 252 and 257 print it."""
    said = (
        "DevicePolicy=closed\nDeviceAllow=char-alsa rw\nDeviceAllow=char-81 rw\n"
        "SupplementaryGroups=\n\nExecStart={ path=/x ; }\n"
    )
    assert parsed(said) == {
        "DevicePolicy": "closed",
        "DeviceAllow": "char-alsa rw char-81 rw",
        "SupplementaryGroups": "",
        "ExecStart": "{ path=/x ; }",
    }
