"""Plays attempts, unlocked and locked, and tells what came of each. Needs edged and no test library, so
that it also runs inside the service's own sandbox:

    runner.py --free|--locked FOLDER [MACHINE.so] [NAME...]     one JSON object: name -> [status, named call]
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from ctypes import addressof, create_string_buffer
from pathlib import Path
from typing import Any, Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import attempts  # noqa: E402
from stage import Stage  # noqa: E402

from edged import supervise  # noqa: E402

WORKER: Final = HERE / "worker.py"
SUCCEEDED, REFUSED = 70, 100
TOGETHER: Final = 4


class Outcome(NamedTuple):
    """What came of an attempt: how the process ended, and which call the daemon named."""

    status: int
    named: str = ""

    def __str__(self) -> str:
        if self.status == SUCCEEDED:
            return "succeeded"
        if self.status > REFUSED:
            return f"refused: {os.strerror(self.status - REFUSED)}"
        killed = (
            f"ended by {signal.Signals(-self.status).name}" if self.status < 0 else f"status {self.status}"
        )
        return f"{killed}, {self.named}" if self.named else killed


class Victim:
    """What may be harmed: a folder, a listener, eight bytes in this process, which is the daemon here."""

    def __init__(self, folder: Path, machine: str, tries: int = 100) -> None:
        self._folder, self._machine, self._tries, self._made = folder, machine, tries, 0
        self.held = create_string_buffer(b"a secret", 8)
        self.abstract, self.port = f"edged-escape-{os.getpid()}", 9
        self._listeners = [socket.socket(socket.AF_UNIX)]
        self._listeners[0].bind("\0" + self.abstract)
        with suppress(OSError):  # the service's sandbox has no network at all
            self._listeners.append(socket.create_server(("127.0.0.1", 0)))
            self.port = self._listeners[1].getsockname()[1]
            threading.Thread(target=self._serve, daemon=True).start()
        self._listeners[0].listen(64)
        for name, kind in (("stream", socket.SOCK_STREAM), ("datagram", socket.SOCK_DGRAM)):
            self._listeners.append(one := socket.socket(socket.AF_UNIX, kind))
            one.bind(str(folder / name))
            (folder / name).chmod(0o666)
            if kind == socket.SOCK_STREAM:
                one.listen(64)

    def _serve(self) -> None:
        """Answers whatever asks by TCP, so that a client's success can be seen."""
        while True:
            try:
                end, _ = self._listeners[1].accept()
            except OSError:
                return
            with end:
                end.settimeout(1.0)
                try:
                    end.recv(4096)
                    end.sendall(b"HTTP/1.0 200 fine\r\n\r\n")
                except OSError:
                    pass

    def given(self) -> attempts.Given:
        """For one attempt: a folder of its own."""
        self._made += 1
        folder = self._folder / str(self._made)
        folder.mkdir()
        (folder / "there").write_text("it was there before\n")
        at = addressof(self.held)
        return attempts.Given(
            *(
                os.getpid(),
                str(folder),
                at,
                self.abstract,
                self.port,
                self._machine,
                os.getuid(),
                self._tries,
            ),
            str(self._folder),
        )

    def close(self) -> None:
        for one in self._listeners:
            one.close()


def machine_code(folder: Path) -> str:
    """The compiled object, "" where there is no compiler: then the C library makes the calls."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return ""
    made = folder / "machine.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-nostdlib", "-o", made, HERE / "machine.c"], check=True
    )
    return str(made)


def free(name: str, given: attempts.Given) -> Outcome:
    """The attempt, unlocked, with a wall at its number."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        words = [str(WORKER), "--free", name, json.dumps(given._asdict()), str(theirs.fileno())]
        done = subprocess.run(
            [sys.executable, *words],
            pass_fds=[theirs.fileno()],
            capture_output=True,
            timeout=60,
            check=False,
            start_new_session=True,
        )
    return Outcome(done.returncode)


class Locked:
    """Keepers whose workers are the attacker's, a few at a time."""

    def __init__(self, how: str = "") -> None:
        """``how`` "--real": in the whole worker, with its source, its model and its threads; "--narrow":
        before the lock.
        """
        self.stage, self.outcomes, self._how = Stage(), dict[str, Outcome](), how
        self._at_work: list[tuple[str, Any]] = []

    def play(self, given: dict[str, attempts.Given]) -> None:
        """All of them; ``outcomes`` has what came of each."""
        before = supervise.COMMAND
        try:
            self._play(given)
        finally:
            supervise.COMMAND = before

    def _play(self, given: dict[str, attempts.Given]) -> None:
        waiting = list(given)
        deadline = time.monotonic() + 300
        while (waiting or self._at_work) and time.monotonic() < deadline:
            while waiting and len(self._at_work) < TOGETHER:
                self._begin(waiting.pop(0), given)
            self.stage.reactor.turn(0.05)
            self._collect()
        self.stage.end()

    def _begin(self, name: str, given: dict[str, attempts.Given]) -> None:
        mode = (self._how,) if self._how else ()
        supervise.COMMAND = (sys.executable, str(WORKER), *mode, name, json.dumps(given[name]._asdict()))
        self._at_work.append((name, self.stage.keep(f"attempt-{len(self.stage.keepers)}")))

    def _collect(self) -> None:
        for name, keeper in list(self._at_work):
            told = [(event, text) for who, event, text in self.stage.heard.events if who == keeper.name]
            if not any(event in ("replaced", "refused") for event, _ in told):
                continue
            self._at_work.remove((name, keeper))
            self.outcomes[name] = _outcome(told)
            keeper.stop()


def _outcome(told: list[tuple[str, str]]) -> Outcome:
    """How it ended, as the keeper tells it."""
    broke = next((text for event, text in told if event == "worker-broke-out"), "")
    if broke:
        return Outcome(-signal.SIGKILL, broke.split("`")[1])
    why = next(text for event, text in told if event in ("replaced", "refused"))
    if "with status " in why:
        return Outcome(int(why.split("with status ")[1].split(";")[0]))
    if "was ended by SIG" in why:
        return Outcome(-signal.Signals["SIG" + why.split("was ended by SIG")[1].split(";")[0]])
    return Outcome(-1, why)


def main(words: list[str]) -> None:
    """What came of all attempts, or of those that are named."""
    mode, folder, machine, *names = (*words, "") if len(words) < 3 else words
    names = names or list(attempts.ATTEMPTS)
    # What another sandbox around this one refuses is never asked about, however often it is tried.
    victim = Victim(Path(folder), machine, tries=15)
    if mode == "--free":
        outcomes = {name: free(name, victim.given()) for name in names}
    else:
        locked = Locked()
        locked.play({name: victim.given() for name in names})
        outcomes = locked.outcomes
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1:])
