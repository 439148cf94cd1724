"""What each figure must reach. A figure without a requirement is for information."""

from __future__ import annotations

from typing import NamedTuple


class Requirement(NamedTuple):
    """``least`` and ``most`` bound the figure; None does not."""

    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool:
        """Whether ``value`` keeps the bounds."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def shown(self, value: float) -> tuple[str, str]:
        """The bound and the verdict, both "" where there is none."""
        bounds = [
            f"{sign} {one:g}" for sign, one in ((">=", self.least), ("<=", self.most)) if one is not None
        ]
        return " ".join(bounds), ("ok" if self.met(value) else "SHORT") if bounds else ""


REQUIREMENTS = {
    "efficiency.ssd": Requirement(least=0.97),
    "efficiency.tiny": Requirement(least=0.75),
    "overhead_ms.ssd": Requirement(most=0.6),
    "overhead_ms.native": Requirement(most=0.25),
    "pss_mb.daemon": Requirement(most=32),
    "pss_mb.worker_beyond_bare": Requirement(most=12),
    "start_s": Requirement(most=1.0),
    "wall_bytes_s": Requirement(most=2048),
    "replaced_s": Requirement(most=5),
    "bystander_lost_s": Requirement(most=0),
    "sandbox.cost": Requirement(most=0.01),
    "sandbox.start_ms": Requirement(most=50),
    "store.bytes_day": Requirement(most=25e6),
    "store.counted_bytes_day": Requirement(most=25e6),
    "store.report_ms": Requirement(most=100),
    "clip.cpu_ratio": Requirement(most=1.25),
    "clip.pss_mb": Requirement(most=110),
    "sound.overhead": Requirement(most=0.05),
    "idle_ratio": Requirement(most=1.3),
    "activity.recall": Requirement(least=0.8),
    "activity.false": Requirement(most=0.06),
    "activity.ms": Requirement(most=0.5),
    "visits.full": Requirement(6, 6),
    "visits.5fps": Requirement(6, 6),
    "visits.2fps": Requirement(6, 6),
    "visits.dwell_full": Requirement(most=1.0),
    "visits.dwell_5fps": Requirement(most=1.0),
    "crossings.err_5fps": Requirement(most=0.02),
    "crossings.err_2fps": Requirement(most=0.05),
    "crossings.err_swing": Requirement(most=0.04),
    "interval.coverage_5fps": Requirement(least=0.9),
    "interval.coverage_2fps": Requirement(least=0.9),
    "interval.coverage_swing": Requirement(least=0.9),
    "tracker.ms": Requirement(most=0.25),
    "tracker.mb": Requirement(most=6),
    "governor.over_s": Requirement(most=0),
    "governor.utility_ratio": Requirement(least=0.97),
    "governor.vs_firmware": Requirement(least=1.0),
    "governor.robust_over_s": Requirement(most=0),
    "governor.robust_ratio": Requirement(least=0.93),
    "governor.step_overshoot": Requirement(most=0.5),
    "governor.switches_h": Requirement(most=4),
    "governor.cpu_share": Requirement(most=0.002),
}
