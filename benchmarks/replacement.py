"""How long a pipeline is without a worker, by what befell the one before: real workers, real faults.

``replaced_s`` ends with the successor's process, ``works_s`` with its first inference, which also depends on
the model's size. Both begin with the last tick that saw something, up to a second before the fault: they are
upper bounds.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edged import supervise, wall
from edged.config.shape import File, Measure, Model, Pipeline, Source, Synthetic
from edged.reactor import Reactor
from edged.roster import finish
from edged.series import series_of
from edged.supervise import Keeper

TESTS = Path(__file__).resolve().parents[1] / "tests"
#: Pipelines named so do so: tests/faulty.py.
DEEDS = ("segv", "abort", "exit", "fault", "wrong", "leak", "spin", "hold")
SCENE = Synthetic(width=96, height=96, fps=10.0)
MODEL = Model(file="builtin:activity")
#: The real worker; a drive that stops answering stands for a camera's driver, and is judged like one.
LIKE_A_CAMERA = (
    "import sys; from edged.worker import loop; "
    "assert loop.HUNG_SLOW; loop.HUNG_SLOW = loop.HUNG; sys.exit(loop.main(sys.argv[1]))"
)
PATIENCE = 60.0  # seconds


class Trial:
    """A victim, and somebody beside it who must lose nothing."""

    def __init__(self, name: str, source: Source, command: tuple[str, ...]) -> None:
        supervise.COMMAND = command
        self._reactor = Reactor()
        self.seen = self.lost = 0.0
        self.other, self.victim = (self._kept(who, its) for who, its in (("other", SCENE), (name, source)))

    def _kept(self, name: str, source: Source) -> Keeper:
        pipeline = Pipeline(source=source, rate=10.0, measures=(Measure(kind="presence"),))
        keeper = Keeper(self._reactor, self, name, pipeline, (MODEL,), series_of(name, pipeline))
        keeper.start()
        return keeper

    def ticked(self, keeper: Keeper, tick: wall.Tick) -> None:
        """Sight, or the lack of it."""
        if keeper is self.other:
            self.lost += tick.blind
        elif tick.analysed and not keeper.restarts:
            self.seen = time.monotonic()

    def changed(self, keeper: Keeper, event: str, text: str, **fields: object) -> None:
        """Its state says it."""

    def after(self, condition: Callable[[], bool]) -> float:
        """Seconds from the victim's last sight to this."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.victim.name}: nothing came of it: {self.victim.why}")
            self._reactor.turn(0.01)
        return time.monotonic() - self.seen

    def succeeded(self) -> bool:
        """Whether there is another process."""
        return self.victim.restarts > 0 and self.victim.alive

    def works(self) -> bool:
        """Whether it has made an inference."""
        return self.victim.restarts > 0 and self.victim.state == "running"

    def close(self) -> None:
        """End both."""
        finish(self._reactor, (self.other, self.victim))
        self._reactor.close()


def measure() -> dict[str, float]:
    """Seconds for each fault; ``replaced_s`` is the longest, ``bystander_lost_s`` what those beside lost."""
    figures: dict[str, float] = {}
    lost = 0.0
    with tempfile.TemporaryDirectory(prefix="edged-bench-") as name:
        for deed in DEEDS:
            trial = Trial(deed, SCENE, (sys.executable, str(TESTS / "faulty.py"), "1", name))
            # What fails before it has told a tick is no measure: faults come with the third frame.
            figures[f"replaced_s.{deed}"] = trial.after(trial.succeeded)
            figures[f"works_s.{deed}"] = trial.after(trial.works)
            lost += trial.lost
            trial.close()
        if os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK):
            figures["replaced_s.driver"], more = _driver(Path(name))
            lost += more
    return {"replaced_s": max(value for key, value in figures.items() if "replaced" in key), **figures} | {
        "bystander_lost_s": lost
    }


def _driver(folder: Path) -> tuple[float, float]:
    """A source that hangs in the kernel, where no signal reaches it. The successor finds the same."""
    sys.path.append(str(TESTS))
    import media
    from unanswered import unanswered

    clip = media.movie(folder / "clip.avi", "rawvideo", frames=30)
    with unanswered(folder / "drive", clip.name, clip.read_bytes()) as drive:
        source = File(path=str(drive.path), pace="real", loop=True)
        trial = Trial("driver", source, (sys.executable, "-c", LIKE_A_CAMERA))
        trial.after(lambda: trial.seen > 0.0)
        drive.fall_silent()
        took = trial.after(trial.succeeded)
        drive.close()
        trial.close()
    return took, trial.lost


if __name__ == "__main__":
    print(measure())
