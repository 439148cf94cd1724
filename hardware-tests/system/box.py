"""The box of the story: a machine, and what its owner does with edged on it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import versions
from machine import Machine, Result

UNIT = "edged.service"
CONFIG = Path("/etc/edged/edged.toml")
CREDENTIALS = Path("/etc/edged/credentials")
STORE = Path("/var/lib/edged/edged.db")
PYTHON = "/opt/edged/current/bin/python"
UNITS = ("-u", "edged.service", "-u", "edged-trial.service")
#: The checkout as it is, in the share; a path with a space, as people have them.
CHECKOUT = "a checkout"
#: Seconds are kept, so that a single second that is missing can be seen; commits come so often that every
#: power cut
#: falls near one.
BASE = """
[store]
commit_every = "1s"
[store.keep]
second = "1d"
[clock]
trust = "always"
timezone = "UTC"
"""
PIPELINE = """
[pipelines.{name}]
rate = {rate}
measures = [{{ kind = "presence" }}, {{ kind = "activity" }}]
[pipelines.{name}.source]
kind = "synthetic"
width = 320
height = 240
fps = 10.0
"""


def config(*, yard_rate: float = 4.0) -> str:
    """Two pipelines that need no device."""
    return BASE + PIPELINE.format(name="street", rate=5.0) + PIPELINE.format(name="yard", rate=yard_rate)


class Figure(NamedTuple):
    """A line of the table at the end."""

    value: str
    wanted: str


class Box:
    """A machine with edged on it, or about to get it. ``broken`` says which step ended the story, "" while
    it goes on.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.figures: dict[str, Figure] = {}
        self.broken = ""
        #: The file system before edged came, every key that the store ever had, and numbers that must still
        #: be there.
        self.before: dict[str, str] = {}
        self.keys: set[str] = set()
        self.install_said = ""
        self.committed: dict[str, float] = {}
        self.run, self.read, self.write = machine.run, machine.read, machine.write
        self.began = int(self.now())

    # --- what the owner types

    def version(self, name: str, version: str = "", broken: str = "", newer_schema: bool = False) -> str:
        """Make a version of edged from this checkout in the share; its version number. ``collect`` comes
        next.
        """
        folder = versions.make(self.machine.share / name, version, broken, newer_schema)
        return versions.version_of(folder)

    def collect(self, name: str) -> None:
        """Give a version that was made what `install.sh --offline` wants, where there is no network."""
        if self.machine.wheels:
            versions.collect(self.machine.share / name, self.machine.wheels)

    def install_command(self, checkout: str, *options: str) -> str:
        """install.sh of a checkout that lies in the share."""
        inside = self.machine.inside / checkout
        offline = ["--offline", f"'{versions.offline_of(inside)}'"] if self.machine.wheels else []
        return " ".join([f"'{inside}/install.sh'", *offline, *options])

    def install(self, checkout: str, *options: str, check: bool = True) -> Result:
        """Install, or upgrade to, what is in ``checkout``."""
        return self.run(self.install_command(checkout, *options), limit=300.0, check=check)

    def edged(self, arguments: str, *, user: str = "", groups: str = "", check: bool = True) -> Result:
        """The command ``edged``."""
        return self.run(f"edged {arguments}", user=user, groups=groups, check=check)

    def configure(self, text: str) -> None:
        """Write the owner's config."""
        self.write(str(CONFIG), text)

    def purge(self) -> None:
        """Remove edged and all that it ever wrote."""
        self.run(f"'{self.machine.inside}/{CHECKOUT}/install.sh' --purge --yes", limit=120)

    # --- what happens to it

    def at_work(self) -> None:
        """Begin a step with the story's config and both pipelines counting, whatever the step before left."""
        if self.read(str(CONFIG)) != config():
            self.configure(config())
        self.run(
            "systemctl reset-failed edged.service; systemctl is-active -q edged || systemctl start edged"
        )
        status = self.status()
        if status is None or [one["rate"] for one in status["pipelines"]] != [5.0, 4.0]:
            self.run("systemctl restart edged")
        self.counting()
        # What was said up to here is not lost in a power cut that comes later; what is said from now on
        # may be.
        self.run("journalctl --sync")

    def can_be_cut(self) -> None:
        """Skip where nobody can take the power away."""
        if self.machine.why_no_cuts:
            pytest.skip(self.machine.why_no_cuts)

    def cut(self) -> None:
        """Take the power away, now; what the journal has by then is kept, as it is the story's."""
        self.machine.cut()

    # --- what can be seen

    def show(self, *names: str, unit: str = UNIT) -> dict[str, str]:
        """Properties of a unit."""
        said = self.run(f"systemctl show {unit} --property={','.join(names)}").out
        return dict(line.partition("=")[::2] for line in said.splitlines())

    def status(self) -> dict[str, Any] | None:
        """What the daemon says of itself, None when it does not answer."""
        done = self.edged("status --json", check=False)
        return json.loads(done.out) if done.status == 0 else None

    def until(
        self, what: str, condition: Callable[[dict[str, Any]], bool], patience: float = 60.0
    ) -> dict[str, Any]:
        """The status once it is as wanted."""
        deadline = time.monotonic() + patience
        status = None
        while time.monotonic() < deadline:
            with closing(self._statuses(deadline)) as statuses:
                for status in statuses:
                    if status is not None and condition(status):
                        return status
        raise AssertionError(f"not within {patience:.0f} s: {what}; the last status: {json.dumps(status)}")

    def _statuses(self, deadline: float) -> Generator[dict[str, Any] | None, None, None]:
        """The status again and again, None when there is no answer, by one program inside: to start one for
        each look would take more of the machine than edged does. Ends early when that program does.
        """
        (self.machine.share / "statuses.py").write_text(STATUSES)
        words = [PYTHON, "-I", f"{self.machine.inside}/statuses.py"]
        with (
            suppress(BrokenPipeError),
            self.machine.talk(words, limit=deadline - time.monotonic() + 30.0) as program,
        ):
            assert program.stdin and program.stdout
            while time.monotonic() < deadline:
                program.stdin.write("\n")
                program.stdin.flush()
                if not (line := program.stdout.readline()):
                    break
                yield json.loads(line)
                time.sleep(0.2)
        time.sleep(0.2)

    def counting(self, patience: float = 60.0) -> dict[str, Any]:
        """The status once both pipelines count and something is committed."""
        return self.until("both pipelines count and commit", counts, patience)

    def until_unit(self, what: str, condition: Callable[[dict[str, str]], bool], patience: float) -> None:
        """Until the unit's ActiveState, NRestarts and MainPID are as wanted."""
        deadline = time.monotonic() + patience
        found: dict[str, str] = {}
        while time.monotonic() < deadline:
            found = self.show("ActiveState", "NRestarts", "MainPID")
            if condition(found):
                return
            time.sleep(0.2)
        raise AssertionError(f"not within {patience:.0f} s: {what}; {found}")

    def until_run(self, what: str, script: str, patience: float = 120.0) -> None:
        """Until a script succeeds."""
        deadline = time.monotonic() + patience
        while self.run(script, check=False).status != 0:
            if time.monotonic() > deadline:
                log = self.machine.background_log()
                raise AssertionError(f"not within {patience:.0f} s: {what}; what runs meanwhile says:\n{log}")
            time.sleep(0.2)

    def now(self) -> float:
        """The machine's wall clock, epoch seconds."""
        return float(self.run("date +%s.%N").out)

    def coverage(self, pipeline: str, start: float, end: float) -> dict[str, float]:
        """Seconds observed and blind between two moments, as they are committed."""
        asked = f"report --json --every 1s --pipeline {pipeline} --from {stamp(start)} --to {stamp(end)}"
        answer = json.loads(self.edged(asked).out)
        rows = [row for one in answer["coverage"] for row in one["rows"]]
        return {key: sum(row[key] for row in rows) for key in ("observed_s", "blind_s", "analysed")}

    def numbers(self, pipeline: str, start: float, end: float) -> dict[str, float]:
        """Seconds observed, by the moment of each committed bucket of a second."""
        asked = f"report --json --every 1s --pipeline {pipeline} --from {stamp(start)} --to {stamp(end)}"
        answer = json.loads(self.edged(asked).out)
        return {row["start"]: row["observed_s"] for one in answer["coverage"] for row in one["rows"]}

    def journal(self, *arguments: str) -> list[dict[str, Any]]:
        """Entries of the journal, of every boot."""
        said = self.run(f"journalctl --quiet --no-pager --output=json {' '.join(arguments)}").out
        return [json.loads(line) for line in said.splitlines()]

    def events(self, name: str, *arguments: str) -> list[dict[str, Any]]:
        """Entries with an EDGED_EVENT."""
        return self.journal(f"EDGED_EVENT={name}", *arguments)

    def tracebacks(self) -> list[str]:
        """Every line of any boot since the story began that looks like one, with its unit.

        Of a container all of it; on a board others have their say too.
        """
        whose = " ".join(UNITS) if self.machine.name == "board" else ""
        since = f"--since @{self.began}"
        said = self.run(f"journalctl --quiet --no-pager -o short-iso {since} {whose}", limit=120).out
        assert "edged" in said, "the journal has nothing of the story"
        return [line for line in said.splitlines() if "Traceback" in line]

    def listing(self) -> dict[str, str]:
        """Everything that edged could leave behind: path to mode, owner and, in /etc, contents."""
        said = self.run(LISTING, limit=120.0).out
        return dict(reversed(line.split(" ", 1)) for line in said.splitlines() if " /" in line)  # type: ignore[misc]

    def changes(self, before: dict[str, str] | None = None) -> list[str]:
        """What is new, gone or different since then (by default: since edged came)."""
        old, new = before or self.before, self.listing()
        found = [f"new {path} {fact}" for path, fact in new.items() if path not in old]
        found += [f"gone {path} {fact}" for path, fact in old.items() if path not in new]
        found += [
            f"changed {path} {old[path]} {fact}" for path, fact in new.items() if old.get(path, fact) != fact
        ]
        return sorted(found)

    def trial(self) -> str:
        """What /opt/edged/trial holds; "" when no version is on trial."""
        return self.run("cat /opt/edged/trial 2>/dev/null", check=False).out

    # --- what is in the store

    def some_numbers(self, pipeline: str) -> dict[str, float]:
        """Numbers that are committed by now, to be found again later. There are some, or the test proves
        nothing.
        """
        now = self.now()
        found = self.numbers(pipeline, now - 60, now - 2)
        assert found, "nothing was committed"
        return found

    def still_has(self, pipeline: str, committed: dict[str, float]) -> None:
        """Every second that was there is there, and saw no less."""
        moments = [epoch(one) for one in committed]
        now = self.numbers(pipeline, min(moments), max(moments) + 1)
        gone = {
            one: (seen, now.get(one)) for one, seen in committed.items() if now.get(one, -1.0) < seen - 1e-6
        }
        assert gone == {}, f"committed and gone ({len(gone)} of {len(committed)} seconds)"

    def saw_every_second(self, pipeline: str, since: float) -> None:
        """The pipeline was never blind from then until now, and for five seconds at least."""
        until = max(self.now(), since + 5.0)
        self.until("what was seen by now is committed", lambda _: self.now() > until + 2.5, 20)
        seen = self.coverage(pipeline, since, until)
        wanted = int(until) - int(since)
        assert seen["blind_s"] == 0, f"{pipeline} was blind for {seen['blind_s']} s of {wanted} s"
        assert seen["observed_s"] > wanted - 0.5, f"{pipeline} saw {seen['observed_s']} s of {wanted} s"

    def verify(self) -> list[str]:
        """What is damaged in the store, read to its last page with the key that there is."""
        return json.loads(self.python(VERIFY))  # type: ignore[no-any-return]

    def key(self) -> str:
        """The key's digits, as root may have them."""
        found = self.run(f"systemd-creds decrypt --name=edged_key {CREDENTIALS}/key -").out.strip()
        assert len(found) == 64, "the credential holds no key of 64 digits"
        self.keys.add(found)
        return found

    def opens(self, key: str) -> bool:
        """Whether the store opens with this key."""
        with self._lent(key):
            return json.loads(self.python(OPENS))  # type: ignore[no-any-return]

    def where_is(self, key: str) -> list[str]:
        """Files, arguments and environments in which the key stands in the clear, as digits or as bytes."""
        with self._lent(key):
            return json.loads(self.python(SEEK, limit=120))  # type: ignore[no-any-return]

    @contextmanager
    def _lent(self, key: str) -> Iterator[None]:
        file = self.machine.share / "key"
        file.touch(0o600)
        file.write_text(key)
        try:
            yield
        finally:
            file.unlink()

    def python(self, program: str, limit: float = 60.0) -> str:
        """What a program prints that runs in edged's environment; SHARE is the share."""
        (self.machine.share / "program.py").write_text(f"SHARE = {str(self.machine.inside)!r}\n{program}")
        return self.run(f"{PYTHON} -I '{self.machine.inside}/program.py'", limit=limit).out

    # --- the table

    def figure(self, name: str, value: str, wanted: str = "") -> None:
        """A line of the table at the end."""
        self.figures[name] = Figure(value, wanted)


#: The facts have no spaces, paths may. Journals, logs and what any boot or midnight makes are not edged's.
LISTING = r"""
tell='for f; do echo "$(stat -c %a:%u:%g "$f"):$(md5sum <"$f" | cut -c1-12) $f"; done'
find /etc /opt /usr /var /root /home /srv \( -path /var/log/journal -o -path /var/tmp -o -name __pycache__ \
  -o -path /var/cache/apt -o -path /var/lib/apt \
  -o -path '/var/backups/dpkg.*' -o -path '/var/backups/alternatives.tar.*' \
  -o -path '/var/lib/systemd/time*' \) -prune \
  -o -type f -path '/etc/*' -exec sh -c "$tell" sh {} + -o -printf '%y%m:%U:%G %p\n' | sort
"""

#: What a system keeps that has once had a service: the host's own secret for credentials, the copies that
#: shadow's and systemd's tools leave of the files they change, and databases that are made anew.
SYSTEMS_OWN = (
    "/var/lib/systemd/credential.secret",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/etc/.pwd.lock",
    "/var/lib/systemd/catalog/database",
    "/var/cache/man",
)


def told(said: str, *words: str, what: str = "it does not say") -> None:
    """Fails with what was said when a word is not in it."""
    missing = [word for word in words if word not in said]
    if missing:
        raise AssertionError(f"{what} {', '.join(missing)}:\n{said}")


#: A status for each line that comes in.
STATUSES = """
import json, sys
from edged.control_client import ask
from edged.errors import ControlError
for _ in sys.stdin:
    try:
        said = ask("/run/edged", "status")
    except ControlError:
        said = None
    print(json.dumps(said), flush=True)
"""
VERIFY = """
import json
from pathlib import Path
from edged.config.loading import load
from edged.store import Store, keys, rotation
config = load(Path("/etc/edged/edged.toml"))
file = Path(config.store.file)
with keys.ring(config) as ring:
    # In the middle of a rotation there are two keys.
    with Store.open(file, ring[rotation.fitting(file, ring)], read_only=True) as store:
        print(json.dumps(store.verify()))
"""
OPENS = """
import json
from pathlib import Path
from edged.errors import WrongKeyError
from edged.store import Store
key = bytearray.fromhex(Path(SHARE, "key").read_text())
try:
    Store.open(Path("/var/lib/edged/edged.db"), key, read_only=True).close()
    print(json.dumps(True))
except WrongKeyError:
    print(json.dumps(False))
"""
#: /run/credentials is where systemd lends it to the service, in memory that is never swapped.
SEEK = """
import json, os
from pathlib import Path
digits = Path(SHARE, "key").read_text().encode()
forms = [digits, digits.upper(), bytes.fromhex(digits.decode())]
found = []

def look(path):
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return
    if any(form in content for form in forms):
        found.append(str(path))

for top in ("/etc", "/opt/edged", "/usr/local", "/var", "/root", "/home", "/tmp", "/run"):
    for folder, folders, files in os.walk(top):
        folders[:] = [one for one in folders if os.path.join(folder, one) not in ("/run/credentials", SHARE)]
        for name in files:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                look(path)
for process in Path("/proc").glob("[0-9]*"):
    look(process / "cmdline")
    look(process / "environ")
print(json.dumps(found))
"""


def epoch(moment: str) -> float:
    """Epoch seconds of a moment that a report names."""
    return datetime.fromisoformat(moment).timestamp()


def stamp(moment: float) -> str:
    """As `edged report` takes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(moment))


def counts(status: dict[str, Any]) -> bool:
    """Every pipeline runs and counts, and there was a commit."""
    pipelines = status["pipelines"]
    running = all(one["state"] == "running" and one["analysed"] > 5 for one in pipelines)
    return bool(pipelines) and running and status["store"]["last_commit_age_s"] is not None


def pipeline(status: dict[str, Any], name: str) -> dict[str, Any]:
    """One pipeline of a status."""
    (found,) = [one for one in status["pipelines"] if one["name"] == name]
    return found  # type: ignore[no-any-return]
