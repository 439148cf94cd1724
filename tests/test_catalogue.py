"""The catalogue and the commands around it. The network is a real server on this machine, with every bad
manner of one.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import command
import drafts
import pytest

from edged.errors import ConfigError, EdgedError, RefusedError, UnavailableError
from edged.models import catalogue, download
from edged.models.catalogue import Entry

BODY = bytes(range(256)) * 2000  # 512,000 bytes: many reads


class Manners:
    """How the server behaves, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.body = BODY
        self.ranges = True
        self.cuts: list[int] = []  # send only so many bytes of the answer, one entry a request
        self.status = 0
        self.redirect = ""


class Server(ThreadingHTTPServer):
    manners: Manners


class Handler(BaseHTTPRequestHandler):
    """A file with ranges."""

    server: Server

    def do_GET(self) -> None:
        manners = self.server.manners
        manners.asked.append(self.headers.get("Range", ""))
        if manners.redirect:
            self._answer(302, b"", Location=manners.redirect)
        elif manners.status:
            self._answer(manners.status, b"no")
        else:
            self._file(manners, self.headers.get("Range", ""))

    def _file(self, manners: Manners, asked: str) -> None:
        start = int(re.fullmatch(r"bytes=(\d+)-", asked).group(1)) if asked and manners.ranges else 0  # type: ignore[union-attr]
        if start >= len(manners.body):
            self._answer(416, b"")
        elif start:
            span = f"bytes {start}-{len(manners.body) - 1}/{len(manners.body)}"
            self._answer(206, manners.body[start:], **{"Content-Range": span})
        else:
            self._answer(200, manners.body)

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        cuts = self.server.manners.cuts
        self.wfile.write(body[: cuts.pop(0)] if cuts else body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Not to the terminal."""


@pytest.fixture
def server() -> Iterator[Server]:
    """One on a free port of the loopback."""
    made = Server(("127.0.0.1", 0), Handler)
    made.manners = Manners()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def manners(server: Server) -> Manners:
    return server.manners


@pytest.fixture
def wanted(server: Server) -> Entry:
    return entry(f"http://127.0.0.1:{server.server_address[1]}/model.tflite")


def entry(url: str, body: bytes = BODY) -> Entry:
    """What the catalogue would say of ``body`` there."""
    sha256 = hashlib.sha256(body).hexdigest()
    return Entry("model.tflite", "values", "a test's", "any", "none", len(body), sha256, "Apache-2.0", url)


def test_it_comes_whole_with_its_progress_and_not_twice(
    wanted: Entry, manners: Manners, tmp_path: Path
) -> None:
    steps: list[tuple[int, int]] = []
    path, brought = catalogue.get(
        wanted, tmp_path / "new", progress=lambda here, total: steps.append((here, total))
    )
    assert (path.read_bytes(), brought) == (BODY, True)
    assert steps[-1] == (len(BODY), len(BODY))
    assert steps == sorted(steps)
    assert [one.name for one in path.parent.iterdir()] == ["model.tflite"]
    assert path.stat().st_mode & 0o777 == 0o644
    assert catalogue.get(wanted, tmp_path / "new") == (path, False)
    assert manners.asked == [""]


def test_a_file_that_was_changed_is_brought_again(wanted: Entry, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"changed")
    assert catalogue.get(wanted, tmp_path)[1]
    assert (tmp_path / "model.tflite").read_bytes() == BODY


def test_a_broken_transfer_goes_on_where_it_stopped(wanted: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.cuts = [100_000, 200_000]
    catalogue.get(wanted, tmp_path)
    assert (tmp_path / "model.tflite").read_bytes() == BODY
    assert manners.asked == ["", "bytes=100000-", "bytes=300000-"]


def test_a_later_command_goes_on_too(wanted: Entry, manners: Manners, tmp_path: Path) -> None:
    manners.cuts = [100_000, 0, 0, 0, 0, 0]
    with pytest.raises(UnavailableError) as caught:
        catalogue.get(wanted, tmp_path)
    assert "goes on where this one stopped" in caught.value.hint
    assert not (tmp_path / "model.tflite").exists()
    assert (tmp_path / "model.tflite.part").stat().st_size == 100_000
    manners.cuts, manners.asked = [], []
    catalogue.get(wanted, tmp_path)
    assert manners.asked == ["bytes=100000-"]


def test_a_server_without_ranges_starts_anew(wanted: Entry, manners: Manners, tmp_path: Path) -> None:
    (tmp_path / "model.tflite.part").write_bytes(BODY[:1000])
    manners.ranges = False
    catalogue.get(wanted, tmp_path)
    assert (tmp_path / "model.tflite").read_bytes() == BODY


@pytest.mark.parametrize("part", [BODY + b"more", b"x" * 600_000])
def test_a_part_that_is_too_long_is_dropped(wanted: Entry, part: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.tflite.part").write_bytes(part)
    catalogue.get(wanted, tmp_path)
    assert (tmp_path / "model.tflite").read_bytes() == BODY


def test_a_whole_part_needs_no_network(wanted: Entry, manners: Manners, tmp_path: Path) -> None:
    (tmp_path / "model.tflite.part").write_bytes(BODY)
    catalogue.get(wanted, tmp_path)
    assert manners.asked == []


def test_a_part_that_the_server_knows_nothing_of_is_dropped(
    wanted: Entry, manners: Manners, tmp_path: Path
) -> None:
    """The file there has become shorter: 416, then from the beginning, and then its hash tells."""
    (tmp_path / "model.tflite.part").write_bytes(BODY[:300_000])
    manners.body = BODY[:200_000]
    with pytest.raises(EdgedError):
        catalogue.get(wanted, tmp_path)
    assert manners.asked[:2] == ["bytes=300000-", ""]
    assert not (tmp_path / "model.tflite").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [(BODY[:-1] + b"\0", "what came has the SHA-256"), (BODY + b"more", "bytes came, not 512000")],
)
def test_another_file_is_thrown_away(
    wanted: Entry, manners: Manners, tmp_path: Path, body: bytes, said: str
) -> None:
    manners.body = body
    with pytest.raises(RefusedError, match=said) as caught:
        catalogue.get(wanted, tmp_path)
    assert "do not use that source" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_beginning_is_found_out_at_the_end(wanted: Entry, tmp_path: Path) -> None:
    (tmp_path / "model.tflite.part").write_bytes(b"\xff" * 5000)
    with pytest.raises(RefusedError, match="SHA-256"):
        catalogue.get(wanted, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert catalogue.get(wanted, tmp_path)[1]


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, RefusedError, "answered 404 .*: model.tflite is not there any more"),
        (410, RefusedError, "is not there any more"),
        (403, UnavailableError, "answered 403 Forbidden for model.tflite"),
        (503, UnavailableError, "answered 503"),
    ],
)
def test_what_a_server_may_answer(
    wanted: Entry, manners: Manners, tmp_path: Path, status: int, kind: type[EdgedError], said: str
) -> None:
    manners.status = status
    with pytest.raises(kind, match=said) as caught:
        catalogue.get(wanted, tmp_path)
    assert "--from FOLDER" in caught.value.hint


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"127.0.0.1 cannot be reached: Connection refused"):
        catalogue.get(entry("http://127.0.0.1:1/model.tflite"), tmp_path)
    with pytest.raises(UnavailableError, match=r"nowhere.invalid cannot be reached"):
        catalogue.get(entry("https://nowhere.invalid/model.tflite"), tmp_path)


def test_only_encrypted_connections_leave_the_machine(
    wanted: Entry, manners: Manners, tmp_path: Path
) -> None:
    with pytest.raises(RefusedError, match=r"http://example.org is not encrypted"):
        catalogue.get(entry("http://example.org/model.tflite"), tmp_path)
    manners.redirect = "http://example.org/model.tflite"
    with pytest.raises(RefusedError, match=r"http://example.org is not encrypted"):
        catalogue.get(wanted, tmp_path)
    with pytest.raises(RefusedError, match="file://None"):
        catalogue.get(entry(f"file://{__file__}"), tmp_path)


def test_a_server_that_falls_silent(wanted: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.05)
    monkeypatch.setattr(Handler, "do_GET", lambda self: threading.Event().wait(0.5))
    with pytest.raises(UnavailableError, match=r"from 127.0.0.1 broke off at 0 of 512000 bytes: .*timed out"):
        catalogue.get(wanted, tmp_path)


def test_from_a_folder(wanted: Entry, manners: Manners, tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    with pytest.raises(UnavailableError, match=r"usb has no file model.tflite"):
        catalogue.get(wanted, tmp_path / "to", tmp_path / "usb")
    (tmp_path / "usb/model.tflite").write_bytes(BODY[:-1] + b"\0")
    with pytest.raises(RefusedError, match="SHA-256"):
        catalogue.get(wanted, tmp_path / "to", tmp_path / "usb")
    (tmp_path / "usb/model.tflite").write_bytes(BODY)
    path, brought = catalogue.get(wanted, tmp_path / "to", tmp_path / "usb")
    assert (path.read_bytes(), brought, manners.asked) == (BODY, True, [])


def test_a_full_disk_and_a_folder_that_is_none(wanted: Entry, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/model.tflite.part").symlink_to("/dev/full")
    with pytest.raises(UnavailableError, match=r"the disk is full|cannot be written"):
        catalogue.get(wanted, tmp_path / "full")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="file: cannot be written"):
        catalogue.get(wanted, tmp_path / "file")


def test_two_at_once_do_not_mix(wanted: Entry, tmp_path: Path) -> None:
    with (
        catalogue._part(tmp_path / "model.tflite"),
        pytest.raises(UnavailableError, match="is being written by another command"),
    ):
        catalogue.get(wanted, tmp_path)


def test_every_entry_is_pinned_and_whole() -> None:
    every = catalogue.catalogue()
    assert len({one.file for one in every.values()}) == len(every) >= 6
    for name, one in every.items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name)
        assert re.fullmatch(r"[0-9a-f]{64}", one.sha256)
        assert re.search(r"/[0-9a-f]{40}/|[?]generation=[0-9]{16}$", one.url), f"{name} is not pinned"
        assert one.url.startswith("https://")
        assert one.file in one.url
        assert one.licence == "Apache-2.0"
        assert one.edgetpu in ("", *every)


def test_the_catalogue_agrees_with_the_real_files(shared: Path, tmp_path: Path) -> None:
    for one in catalogue.catalogue().values():
        path, _ = catalogue.get(one, tmp_path, shared / "models")
        assert path.stat().st_size == one.size


def test_a_name_that_is_none() -> None:
    with pytest.raises(ConfigError, match="has no model 'nope'") as caught:
        catalogue.entry("nope")
    assert "coco-ssd-mobilenet-v1" in caught.value.hint


def test_where_models_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue.os, "access", lambda path, mode: False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert catalogue.home() == tmp_path / "edged/models"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert catalogue.home() == Path.home() / ".local/share/edged/models"


# The commands, as typed.


def edged(*words: str) -> subprocess.CompletedProcess[str]:
    return command.edged("models", *words)


def test_models_list() -> None:
    plain, structured = edged("list"), edged("list", "--json")
    assert "coco-ssd-mobilenet-v1  detector, 4.19 MB, Apache-2.0" in plain.stdout
    names = [one["name"] for one in json.loads(structured.stdout)]
    assert names == list(catalogue.catalogue())


def test_models_get_from_a_folder(shared: Path, tmp_path: Path) -> None:
    asked = ("get", "mobilenet-v1-025-128", "--from", str(shared / "models"), "--to", str(tmp_path))
    first, second = edged(*asked), edged(*asked, "--json")
    assert first.returncode == 0
    assert f'file = "{tmp_path}/mobilenet_v1_0.25_128_quant.tflite"' in first.stdout
    assert "edged models get mobilenet-v1-025-128-edgetpu" in first.stdout
    assert first.stderr == ""
    assert json.loads(second.stdout)["brought"] is False


def test_models_get_says_what_went_wrong(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    done = edged("get", "yamnet", "--from", str(tmp_path / "from"), "--to", str(tmp_path))
    assert done.returncode == 4
    assert done.stderr.startswith(f"edged: {tmp_path}/from has no file yamnet_audio")
    assert edged("get", "nope").returncode == 2


def test_models_show(tmp_path: Path) -> None:
    made = drafts.with_files(
        drafts.scoring(metadata=drafts.described(labels_file="labels.txt", mean=0.0)),
        {"labels.txt": b"a\nb\nc\nd"},
    )
    (tmp_path / "m.tflite").write_bytes(made)
    plain, structured = (
        edged("show", str(tmp_path / "m.tflite")),
        edged("show", "--json", str(tmp_path / "m.tflite")),
    )
    assert "runs it with the decoder classifier" in plain.stdout
    assert "4: a; b; c; d" in plain.stdout
    found = json.loads(structured.stdout)
    assert (found["runs"], found["decoder"], found["labels"]) == (True, "classifier", ["a", "b", "c", "d"])
    assert (found["operators"], found["inputs"][0]["shape"]) == ({"RESHAPE": 1, "SOFTMAX": 1}, [1, 2, 2, 1])


def test_all_labels_are_shown_to_the_letter_where_they_are_asked_for(tmp_path: Path) -> None:
    names = [*(f"thing {number}" for number in range(11)), "Bird vocalization, bird call, bird song"]
    draft = drafts.Draft()
    given, scores = draft.tensor("picture", [1, 2, 2, 3]), draft.tensor("scores", [1, 12])
    draft.reshape(given, scores, [1, 12])
    model = draft.packed([given], [scores], metadata=drafts.described(labels_file="labels.txt", mean=0.0))
    files = {"labels.txt": "\n".join(names).encode()}
    (tmp_path / "m.tflite").write_bytes(drafts.with_files(model, files))
    few, every = (
        edged("show", str(tmp_path / "m.tflite")),
        edged("show", "--labels", str(tmp_path / "m.tflite")),
    )
    assert "12: thing 0; thing 1; " in few.stdout
    assert names[-1] not in few.stdout and "--labels prints them all" in few.stdout
    assert every.stdout.splitlines() == names


def test_models_show_of_what_edged_cannot_run(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_bytes(drafts.custom())
    (tmp_path / "n.tflite").write_text("no model")
    done = edged("show", str(tmp_path / "m.tflite"))
    assert (done.returncode, "the custom operator somebodys-own-op" in " ".join(done.stdout.split())) == (
        3,
        True,
    )
    done = edged("show", "--json", str(tmp_path / "n.tflite"))
    found = json.loads(done.stdout)
    assert (done.returncode, found["runs"], "not a TFLite model but text" in found["refused"]) == (
        3,
        False,
        True,
    )
    assert edged("show", str(tmp_path / "none.tflite")).returncode == 3


def test_models_show_of_the_bundled_one() -> None:
    found = json.loads(edged("show", "--json", "builtin:activity").stdout)
    assert (found["runs"], found["decoder"]) == (True, "activity")


def test_a_catalogue_with_a_mistake_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[a]\nfile = "a"\n')
    with pytest.raises(RefusedError, match="damaged") as caught:
        catalogue.catalogue(tmp_path / "c.toml")
    assert caught.value.hint


# --- a hostile model and its owner's terminal

COMMANDS = "embed\x1b]0;owned\x07\x1b[2J"


def test_a_model_s_names_command_no_terminal(tmp_path: Path) -> None:
    """Its outputs', its operators' and its own, whether edged can run it or not."""
    for name, custom in ((COMMANDS, ""), ("out", COMMANDS)):
        draft = drafts.Draft()
        given, made = draft.tensor("in\x1b[31m", [1, 4, 4, 3], "uint8"), draft.tensor(name, [1, 48], "uint8")
        if custom:
            draft.operator(custom, [given], [made])
        else:
            draft.reshape(given, made, [1, 48])
        path = tmp_path / "hostile.tflite"
        path.write_bytes(draft.packed([given], [made]))
        done = edged("show", str(path))
        assert done.returncode == 3 and "embed?]0;owned?" in done.stdout, done.stderr
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr)


def test_a_complaint_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from edged.cli import complain

    complain(f"the file {COMMANDS}", "take another\n\x9b2J")
    assert capsys.readouterr().err == "edged: the file embed?]0;owned??[2J\n  take another\n?2J\n"
