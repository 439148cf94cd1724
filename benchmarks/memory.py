"""Memory, start-up and the wall's traffic: five frames a second of 640x480, 20 series."""

from __future__ import annotations

import time
from statistics import median

from benchmarks import bare
from benchmarks.system import SSD, TWENTY, held, require, running

ROUNDS = 3


def measure() -> dict[str, float]:
    """PSS in MB (10^6 bytes), ``start_s`` beyond the bare process's own start, ``wall_bytes_s`` from worker
    to daemon.
    """
    require(SSD)
    starts, alone = [], []
    daemon = worker = wall = 0.0
    for _ in range(ROUNDS):
        alone.append(bare.run(SSD, 2.0))
        with running(SSD, 5.0, held(640, 480, "real"), TWENTY) as system:
            starts.append(system.start_s - alone[-1].start_s)
            time.sleep(4.0)
            began, first = time.monotonic(), system.pipeline()["wall_bytes"]
            time.sleep(4.0)
            wall = (system.pipeline()["wall_bytes"] - first) / (time.monotonic() - began)
            daemon, worker = system.pss()
    bare_mb = median(one.pss_mb for one in alone)
    return {
        "pss_mb.daemon": daemon,
        "pss_mb.worker": worker,
        "pss_mb.bare": bare_mb,
        "pss_mb.worker_beyond_bare": worker - bare_mb,
        "start_s": median(starts),
        "start_s.bare": median(one.start_s for one in alone),
        "wall_bytes_s": wall,
    }


if __name__ == "__main__":
    print(measure())
