"""Step 8: what systemd thinks of the unit, and what the unit's sandbox stops."""

from __future__ import annotations

import json
import re

import pytest
from box import Box

EXPOSURE = 1.1


def test_the_unit_is_hardly_exposed(box: Box) -> None:
    said = box.run("systemd-analyze security --no-pager edged.service", check=False).said
    found = re.search(r"Overall exposure level for edged.service: ([0-9.]+)", said)
    assert found, said
    box.figure("exposure", found[1], f"<= {EXPOSURE}")
    assert float(found[1]) <= EXPOSURE, said


def test_systemd_finds_nothing_wrong_with_the_units(box: Box) -> None:
    done = box.run("systemd-analyze verify /usr/local/lib/systemd/system/edged*.service", check=False)
    assert done.status == 0 and done.said == "", done.said
    reloads = box.show("Type")["Type"]
    newer = int(box.run("systemctl --version").out.split()[1]) >= 253
    assert reloads == ("notify-reload" if newer else "notify")


#: Run by the unit's own text with another ExecStart: every wall that systemd puts up stands around it. Each
#: attempt gives
#: "done" if it was possible.
ATTEMPTS = r"""
import ctypes, json, os, resource, socket
libc = ctypes.CDLL(None, use_errno=True)

def attempt(what):
    try:
        result = what()
    except OSError as error:
        return error.strerror
    return os.strerror(ctypes.get_errno()) if result == -1 else "done"

def net(family):
    return lambda: socket.socket(family, socket.SOCK_DGRAM).close()

def writing(path):
    return lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

def executable_memory():
    libc.mmap.restype = ctypes.c_long
    return libc.mmap(None, ctypes.c_size_t(4096), 7, 0x22, -1, ctypes.c_long(0))

def others():
    mine = os.getuid()
    seen = [one for one in os.listdir("/proc") if one.isdigit() and os.stat(f"/proc/{one}").st_uid != mine]
    if not seen:
        raise PermissionError(1, "nobody else is seen")

print(json.dumps({
    "an internet socket": attempt(net(socket.AF_INET)),
    "an IPv6 socket": attempt(net(socket.AF_INET6)),
    "a netlink socket": attempt(net(socket.AF_NETLINK)),
    "a packet socket": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    "another network than its own": "done" if len(os.listdir("/sys/class/net")) > 1 else "only lo",
    "writing to /usr": attempt(writing("/usr/local/bin/edged-was-here")),
    "writing to /etc": attempt(writing("/etc/edged/edged-was-here")),
    "writing to its own code": attempt(writing("/opt/edged/current/edged-was-here")),
    "writing to /var/lib": attempt(writing("/var/lib/edged-was-here")),
    "looking into /root": attempt(lambda: os.listdir("/root") and None),
    "reading the encrypted credential": attempt(lambda: open("/etc/edged/credentials/key").close()),
    "reading /etc/shadow": attempt(lambda: open("/etc/shadow").close()),
    "a new user namespace": attempt(lambda: libc.unshare(0x10000000)),
    "a mount": attempt(lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "tracing": attempt(lambda: libc.ptrace(0, 0, 0, 0)),
    "writable code in memory": attempt(executable_memory),
    "root": attempt(lambda: os.setuid(0)),
    "a realtime schedule": attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
    "other users' processes": attempt(others),
    "a core dump": "done" if resource.getrlimit(resource.RLIMIT_CORE)[1] else "limit 0",
    "kernel memory": attempt(lambda: open("/dev/kmsg").close()),
    "setting the clock": attempt(lambda: libc.settimeofday(ctypes.byref((ctypes.c_long * 2)(0, 0)), None)),
}))
"""
#: What its own work takes, from inside the same walls.
NEEDS = r"""
import os
open("/var/lib/edged/attempt", "w").close(); os.unlink("/var/lib/edged/attempt")
import socket; socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
"""
COPY = r"""
umask 022
cp /share/attempts.py /opt/edged/edged-attempts.py
drop='ExecStart|ExecReload|Type|NotifyAccess|Watchdog.*|Restart.*|RuntimeDirectory.*|Timeout.*'
{ systemctl cat edged.service --no-pager | sed -E "/^($drop)=/d"
  printf '[Service]\nType=oneshot\nExecStart=/opt/edged/current/bin/python -I /opt/edged/edged-attempts.py\n'
} >/run/systemd/system/edged-attempts.service
systemctl daemon-reload
systemctl start edged-attempts.service; status=$?
invocation=$(systemctl show --value -p InvocationID edged-attempts.service)
journalctl -q --no-pager -o cat _SYSTEMD_INVOCATION_ID="$invocation" | grep '^{'
rm -f /run/systemd/system/edged-attempts.service /opt/edged/edged-attempts.py
systemctl reset-failed edged-attempts.service 2>/dev/null
systemctl daemon-reload
exit $status
"""


def test_the_sandbox_is_in_force(box: Box) -> None:
    (box.machine.share / "attempts.py").write_text(NEEDS + ATTEMPTS)
    said = box.run(COPY.replace("/share", str(box.machine.inside))).out
    results = json.loads(said)
    possible = [what for what, how in results.items() if how == "done"]
    assert possible == [], f"the sandbox lets it: {possible}; all of it: {results}"
    box.figure(
        "things the sandbox stops, of those tried", f"{len(results) - len(possible)} of {len(results)}"
    )


@pytest.mark.parametrize("whose", ["daemon", "workers"])
def test_the_processes_that_run_have_no_rights(box: Box, whose: str) -> None:
    box.at_work()
    status = box.counting()
    for process in [status["pid"]] if whose == "daemon" else [one["pid"] for one in status["pipelines"]]:
        facts = dict(
            line.partition(":\t")[::2]
            for line in box.read(f"/proc/{process}/status").splitlines()
            if ":\t" in line
        )
        assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
        for which in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
            assert int(facts[which], 16) == 0, f"{which} is {facts[which]}"
        limits = box.read(f"/proc/{process}/limits")
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), limits
        edged = box.run("id -u edged").out.strip()
        assert facts["Uid"].split() == [edged] * 4


def test_nothing_has_dumped_core(box: Box) -> None:
    """After the whole story: a version that died of a segmentation fault was in it."""
    said = box.run(
        "find / -xdev \\( -path /proc -o -path /sys -o -path /share -o -path /opt -o -path /usr \\) -prune "
        "-o -type f \\( -name core -o -name 'core.*' -o -path '/var/lib/systemd/coredump/*' \\) -print"
    ).out
    assert said == "", f"there are core dumps: {said}"
