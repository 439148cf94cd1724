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
