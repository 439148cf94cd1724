"""``edged feed``: what it writes, and what it says when nobody is there to read it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import edged

from edged import feeds


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "edged.toml"
    path.write_text('[daemon]\nruntime_dir = "run"\n')
    return path


@pytest.fixture
def reader(config: Path) -> Iterator[socket.socket]:
    feed = feeds.Feed(feeds.path(config.parent / "run", "tank"))
    with socket.socket(fileno=os.dup(feed.open())) as made:
        made.settimeout(10.0)
        yield made
    feed.close()


def fed(config: Path, *words: str) -> tuple[int, str]:
    done = edged("feed", "--config", str(config), *words)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("3.2", "-18.4"), b"3.2 -18.4"),
        (("level=3.2", "warmth=-1"), b"level=3.2 warmth=-1"),
        (("-3.2",), b"-3.2"),
        (("-1e3", "2"), b"-1e3 2"),
    ],
)
def test_words_are_one_line(config, reader, words, line):
    assert fed(config, "tank", *words) == (0, "")
    assert reader.recv(100) == line


def test_lines_come_from_another_program(config, reader):
    done = subprocess.run(
        [sys.executable, "-m", "edged", "feed", "--config", str(config), "tank", "-"],
        input=b"1 2\n\n  \nlevel=3",
        check=True,
    )
    assert done.returncode == 0
    assert [reader.recv(100), reader.recv(100)] == [b"1 2", b"level=3"]


def test_a_pipeline_that_is_not_fed(config, reader):
    code, said = fed(config, "garden", "1")
    assert code == 6
    assert "no pipeline garden is fed here" in said
    assert "fed are tank" in said


def test_a_daemon_that_does_not_run(config):
    code, said = fed(config, "tank", "1")
    assert code == 6
    assert "does the daemon run" in said


def test_a_socket_that_nobody_holds_any_more(config, reader):
    place = feeds.path(config.parent / "run", "tank")
    reader.close()
    left = place.with_name("left")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
        dead.bind(str(left))
    code, said = fed(config, "left", "1")
    assert code == 6
    assert "no pipeline left is fed here" in said


def test_nobody_reads(config, reader):
    """The queue is full: it waits for a moment, and does not hang."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        with pytest.raises(BlockingIOError):
            for _ in range(100_000):
                out.sendto(b"1", str(feeds.path(config.parent / "run", "tank")))
    code, said = fed(config, "tank", "1")
    assert code == 6
    assert "nobody reads what is fed to tank" in said


def test_a_name_that_is_none_leads_nowhere(config, reader):
    code, said = fed(config, "../control.sock", "1")
    assert code == 6
    assert "no pipeline" in said


# --- what the config says of it

CHANNELS = """
[pipelines.tank]
model = "none"
source = { kind = "feed", channels = { level = {}, warmth = {} } }
"""


@pytest.fixture
def told(config: Path) -> Path:
    config.write_text(config.read_text() + CHANNELS)
    return config


@pytest.mark.parametrize("words", [("3", "-4"), ("level=3",), ("warmth:4,level=3",), ("1", "2", "# cold")])
def test_what_the_worker_would_understand_goes_out(told, reader, words):
    assert fed(told, "tank", *words) == (0, "")
    assert reader.recv(100) == " ".join(words).encode()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("level=abc",), "a word in it is no number of at most 1e+09"),
        (("levl=3",), "a name in it is no channel"),
        (("level=3", "level=4"), "stands there twice"),
        (("nan", "284"), "is no number"),
        (("1", "2", "3"), "one number for each of 2 channels"),
        (("1",), "one number for each of 2 channels"),
        (("1e12", "1"), "no number of at most 1e+09"),
        (("level=1", "2"), "neither numbers alone nor each with a name"),
        (("#", "1", "2"), "there is no number in it"),
        (("1 2\nlevl=3",), "a name in it is no channel"),
        (("9" * 2000, "1"), "longer than 1024 bytes"),
    ],
)
def test_what_the_worker_would_not_understand_is_refused(told, reader, words, why):
    code, said = fed(told, "tank", *words)
    assert code == 2
    assert why in said
    assert "tank has the channels level, warmth, in this order" in said
    reader.setblocking(False)
    with pytest.raises(BlockingIOError):
        reader.recv(100)


def test_a_config_that_is_named_and_not_there(config):
    code, said = fed(config.with_name("none.toml"), "tank", "1")
    assert code == 2
    assert "none.toml: the config cannot be read" in said


def test_a_config_that_is_no_toml_any_more_leaves_the_judgement_to_the_daemon(config, reader):
    config.write_text(config.read_text() + "\n[pipelines.tank\n")
    assert fed(config, "tank", "1", "2", "3") == (0, "")
    assert reader.recv(100) == b"1 2 3"


# --- lines without end


def piped(config: Path, given: str, name: str = "tank") -> tuple[int, list[str]]:
    done = edged("feed", "--config", str(config), name, "-", given=given)
    return done.returncode, done.stderr.splitlines()


def test_a_line_that_is_none_is_said_once_and_left_to_the_daemon_to_count(told, reader):
    code, said = piped(told, "1 2\nlevl=3\nsecret=4\n5 6\n")
    assert code == 0
    assert [reader.recv(100) for _ in range(4)] == [b"1 2", b"levl=3", b"secret=4", b"5 6"]
    assert len(said) == 1
    assert "a name in it is no channel" in said[0] and "level, warmth" in said[0]
    assert "levl" not in said[0]


def test_lines_of_which_none_is_one_are_an_error(told, reader):
    code, said = piped(told, "levl=3\nlevl=4\n")
    assert code == 2
    assert "this is no line for tank: a name in it is no channel" in said[0]
    assert "none of these lines was one for tank" in said[1]


def test_lines_that_nobody_read_are_an_error_at_their_end(told):
    code, said = piped(told, "1 2\n3 4\n")
    assert code == 6
    assert "lines are dropped until somebody reads them" in said[0]
    assert sum("dropped" in one for one in said) == 1


def test_lines_for_a_pipeline_that_the_config_does_not_feed_are_refused_at_once(told, reader):
    code, said = piped(told, "1 2\n", "garden")
    assert code == 6
    assert "no pipeline garden is fed here" in said[0]


def test_while_nobody_reads_lines_are_dropped_and_nothing_waits_for_each(told, reader):
    """A second for each line that finds the queue full would be more than a command may take here."""
    code, said = piped(told, "1 2\n" * 300)
    passed = 0
    reader.setblocking(False)
    with pytest.raises(BlockingIOError):
        while reader.recv(100):
            passed += 1
    assert code == 0
    assert len(said) == 2
    assert "nobody reads what is fed to tank: lines are dropped until" in said[0]
    assert f"the last {300 - passed} lines to tank were dropped" in said[1]
