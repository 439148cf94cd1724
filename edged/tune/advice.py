"""Which models make a ladder on this board, and which do not and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from edged.governor.profile import Cost

GAIN: Final = 0.9  # of the latency: another thread is worth its heat only if it brings that much
CHEAPER: Final = 0.85  # of the cost of the rung above: a switch for less is not worth its gap


class Pick(NamedTuple):
    """A rung: the model with as many threads as are worth their heat."""

    model: str
    threads: int
    quality: float
    cost: float
    latency: float

    @property
    def rate(self) -> float:
        """Frames per second that it can reach."""
        return 1.0 / self.latency


class Advice(NamedTuple):
    """The ladder, dearest first, and why each other model is not on it."""

    rungs: tuple[Pick, ...]
    dropped: tuple[tuple[str, str], ...]


def advised(costs: Iterable[Cost], qualities: Mapping[str, float], refused: Mapping[str, str]) -> Advice:
    """The rungs that are Pareto-optimal: no other is at least as good and as cheap."""
    times: dict[str, list[Cost]] = {}
    for one in costs:
        times.setdefault(one.model, []).append(one)
    dropped = dict(refused)
    dropped |= {name: "it has no [models] quality to be compared by" for name in times if not qualities[name]}
    picks = [pick(name, its, qualities[name]) for name, its in times.items() if name not in dropped]
    picks.sort(key=lambda one: (-one.quality, one.cost))
    rungs: list[Pick] = []
    for rung in picks:
        if not rungs or rung.cost < CHEAPER * rungs[-1].cost:
            rungs.append(rung)
        else:
            dropped[rung.model] = f"it is {_how(rung, rungs[-1])} {rungs[-1].model}, which is better"
    return Advice(tuple(rungs), tuple(dropped.items()))


def _how(one: Pick, above: Pick) -> str:
    part = one.cost / above.cost
    return "hardly cheaper than" if part < 0.99 else "as dear as" if part < 1.05 else "dearer than"


def pick(name: str, costs: Sequence[Cost], quality: float) -> Pick:
    """The model with as many threads as bring something; its cost is with one."""
    ordered = sorted(costs, key=lambda one: one.threads)
    chosen = ordered[0]
    for one in ordered[1:]:
        if one.latency <= GAIN * chosen.latency:
            chosen = one
    return Pick(name, chosen.threads, quality, ordered[0].cost, chosen.latency)


def toml(pipeline: str, rungs: Sequence[Pick]) -> list[str]:
    """Lines for the config."""
    first, *rest = rungs
    ladder = ", ".join(f'"{one.model}"' for one in rest)
    lines = [f"[pipelines.{pipeline}]", f'model = "{first.model}"', f"ladder = [{ladder}]"]
    for one in rungs:
        if one.threads > 1:
            lines += ["", f"[models.{one.model}]", f"threads = {one.threads}"]
    return lines
