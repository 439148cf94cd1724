"""Many long and independent jobs: on all cores, and what was done is not done again.

A job's result lies in build/governor/ under a name that is made of the job, its code and the sources that
it rests on: a run that was interrupted goes on where it was, and a change of the policy has only its own
days anew.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build/governor"


class Job(NamedTuple):
    """``work(*given)`` gives JSON; ``sources`` are the files, by pattern, that its result rests on."""

    work: Callable[..., Any]
    given: tuple[Any, ...]
    sources: tuple[str, ...]

    @property
    def place(self) -> Path:
        """Where its result is kept."""
        digest = hashlib.sha256(repr((inspect.getsource(self.work), self.given)).encode())
        for pattern in self.sources:
            for path in sorted(ROOT.glob(pattern)):
                digest.update(path.read_bytes())
        return KEPT / f"{self.work.__name__}-{digest.hexdigest()[:24]}.json"


def done(jobs: Iterable[Job], cores: int | None = None) -> list[Any]:
    """The results in the jobs' order. Tells its progress on stderr in tenths."""
    all_jobs = list(jobs)
    places = [one.place for one in all_jobs]
    KEPT.mkdir(parents=True, exist_ok=True)
    for stale in set(KEPT.glob("*.json")) - set(places):
        stale.unlink()
    left = [(job, place) for job, place in zip(all_jobs, places, strict=True) if not place.exists()]
    kept = len(all_jobs) - len(left)
    print(f" {len(all_jobs)} days and hours, {kept} of them kept:", end="", flush=True, file=sys.stderr)
    with ProcessPoolExecutor(cores or os.cpu_count() or 1) as pool:
        try:
            running = [pool.submit(_kept, job, place) for job, place in left]
            for count, one in enumerate(as_completed(running), 1):
                one.result()
                if count * 10 // len(left) > (count - 1) * 10 // len(left):
                    print(f" {count * 100 // len(left)} %", end="", flush=True, file=sys.stderr)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [json.loads(place.read_text()) for place in places]


def _kept(job: Job, place: Path) -> None:
    """Whole or not at all."""
    draft = place.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(job.work(*job.given)))
    draft.replace(place)
