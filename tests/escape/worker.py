"""A worker of an attacker's: ``worker.py ATTEMPT GIVEN FD`` takes the task over the wall as any worker,
locks itself by the worker's own ``lock``, says that it is ready, and tries. ``--real ATTEMPT GIVEN FD``
is the whole worker, taken over later; ``--narrow`` the same is taken over while it opens its model;
``--free ATTEMPT GIVEN FD`` tries unlocked.

Its end tells what came of it: ``SUCCEEDED``, or ``REFUSED`` + errno; a call that the daemon kills for ends
it by SIGKILL.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import attempts

SUCCEEDED, REFUSED, OTHERWISE = 70, 100, 71
NOBODY = 65534
#: Of Python alone: what it raises when it would import something.
BEFORE = 72


def tried(name: str, given: attempts.Given) -> int:
    """The exit status that tells what came of it."""
    try:
        return SUCCEEDED if attempts.ATTEMPTS[name](given) is not None else OTHERWISE
    except OSError as error:
        # urllib wraps what it got.
        return REFUSED + (error.errno or getattr(getattr(error, "reason", None), "errno", None) or errno.EIO)
    except MemoryError:
        return REFUSED + 12
    except (ImportError, LookupError):
        return BEFORE
    except Exception:
        return OTHERWISE


def insisted(name: str, given: attempts.Given) -> int:
    """Again and again, for as long as it is only refused: until the daemon has read that this worker is
    ready, it takes what is tried for a proof.
    """
    for _ in range(given.tries):
        status = tried(name, given)
        if status != REFUSED + errno.EPERM or name in attempts.ANSWERED:
            break
        time.sleep(0.1)
    return status


def become_nobody(name: str) -> None:
    """Where root would prove nothing."""
    if name in attempts.AS_NOBODY and os.getuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def begin() -> None:
    """A filter that lets everything through, in the place of that of a worker's first moment: the daemon
    counts them, and that one would refuse some attempts before anybody is asked.
    """
    from edged.worker.sandbox import bpf, process, seccomp

    process.give_up_privileges()
    seccomp._set([(bpf._RETURN, 0, 0, bpf.ALLOW)], seccomp.EVERYWHERE)


def locked(name: str, given: attempts.Given, descriptor: int) -> int:
    """What a real worker does, without pictures, and then the attempt."""
    from edged import wall
    from edged.worker.sandbox import Wanted, lock

    channel = wall.Channel(socket.socket(fileno=descriptor), wall.Down)
    channel.receive()
    attempts.prepare(given)
    become_nobody(name)
    begin()
    found = lock(Wanted(), lambda listener: channel.send_with(wall.Watched(), listener))
    channel.send(wall.Ready(10.0, 96, 96, "an attacker's", "cpu", "", found.lacking))
    # At once: a socket that goes out of use asks for its own name.
    os._exit(insisted(name, given))


def narrowed(name: str, given: attempts.Given, descriptor: int) -> int:
    """Taken over by its model while that is opened: before the lock, after what stands before it."""
    from edged import wall
    from edged.worker.sandbox import narrow

    channel = wall.Channel(socket.socket(fileno=descriptor), wall.Down)
    task = channel.receive()
    assert isinstance(task, wall.Assignment)
    attempts.prepare(given)
    narrow(task)
    attempts.Kept.elder = attempts.Elder()  # no thread was there before
    os._exit(tried(name, given))


def flood(descriptor: int) -> int:
    """A picture after a picture over the wall, as fast as it goes, in packets of every size that it lets
    pass.
    """
    from edged import wall
    from edged.worker.sandbox import Wanted, lock

    channel = wall.Channel(socket.socket(fileno=descriptor), wall.Down)
    channel.receive()
    begin()
    found = lock(Wanted(), lambda listener: channel.send_with(wall.Watched(), listener))
    channel.send(wall.Ready(10.0, 96, 96, "an attacker's", "cpu", "", found.lacking))
    picture = bytes(range(256)) * (wall.LARGEST // 256)
    try:
        while True:
            for size in (wall.LARGEST, 1024, 1):
                channel._end.send(picture[:size])
    except OSError:
        os._exit(REFUSED)


def whole(name: str, given: attempts.Given, descriptor: str) -> int:
    """The real worker, which is taken over with its second frame."""
    from edged.worker import loop

    attempts.prepare(given)

    def taken_over(_: object) -> None:
        os._exit(insisted(name, given))

    loop.Looker._step = taken_over  # type: ignore[method-assign]
    return loop.main(descriptor)


def main(words: list[str]) -> int:
    """One attempt."""
    if words[0] == "--free":
        given = attempts.Given(**json.loads(words[2]))
        os.dup2(int(words[3]), attempts.WALL)
        attempts.prepare(given)
        become_nobody(words[1])
        return tried(words[1], given)
    if words[0] == "--narrow":
        return narrowed(words[1], attempts.Given(**json.loads(words[2])), int(words[3]))
    if words[0] == "--flood":
        return flood(int(words[1]))
    if words[0] == "--real":
        return whole(words[1], attempts.Given(**json.loads(words[2])), words[3])
    return locked(words[0], attempts.Given(**json.loads(words[1])), int(words[2]))


os._exit(main(sys.argv[1:]))
