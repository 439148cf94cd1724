"""What is drawn: zones and lines by name, from what is typed to TOML. Values only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from edged.config.measures import SEEN_BOTH_SIDES, on_the_edge
from edged.config.polygon import flaw
from edged.config.shape import Line, Name, Pipeline, Point, Polygon
from edged.errors import ConfigError

DIGITS: Final = 3  # of a fraction: a thousandth of a picture is a pixel or two
HOW: Final = "such as door 0.1,0.2 0.4,0.2 0.4,0.9: a name, then x,y as fractions from the top left corner"


class Plan(msgspec.Struct, frozen=True):
    """Zones and lines by their names."""

    zones: dict[Name, Polygon] = {}
    lines: dict[Name, Line] = {}


def of(pipeline: Pipeline) -> Plan:
    """What the config has."""
    return Plan(dict(pipeline.zones), dict(pipeline.lines))


def changed(plan: Plan, verb: str, rest: str) -> Plan:
    """With what one line of the prompt says. Raises ``ConfigError``."""
    match verb:
        case "zone":
            return with_zone(plan, rest)
        case "line":
            return with_line(plan, rest)
        case "drop":
            return without(plan, rest.strip())
    raise ConfigError(f'"{verb[:20]}" is no command', "zone, line, drop or done")


def with_zone(plan: Plan, text: str) -> Plan:
    """One more zone, or another of that name. Raises ``ConfigError``."""
    name, points = _read(text)
    _alone("zone", name, "line", plan.lines)
    corners = _shape(points, Polygon, f"the zone {name}", "three corners or more")
    if wrong := flaw(corners):
        raise ConfigError(f"the zone {name}: {wrong}", "its sides may meet only at its corners")
    return Plan({**plan.zones, name: corners}, plan.lines)


def with_line(plan: Plan, text: str) -> Plan:
    """One more line, or another of that name, whose directions keep their names. Raises ``ConfigError``."""
    name, points = _read(text)
    _alone("line", name, "zone", plan.zones)
    if len(set(points)) < 2:
        raise ConfigError(f"the line {name} has fewer than two different points", HOW)
    before = plan.lines.get(name)
    keys = {} if before is None else {"forward": before.forward, "backward": before.backward}
    line = _shape({"points": points, **keys}, Line, f"the line {name}", "two points or more, 16 at most")
    if on_the_edge(line.points):
        raise ConfigError(f"the line {name} lies along the picture's edge", SEEN_BOTH_SIDES)
    return Plan(plan.zones, {**plan.lines, name: line})


def _alone(kind: str, name: str, other: str, others: Collection[str]) -> None:
    """Reports ask for zones and lines by their names alone."""
    if name in others:
        raise ConfigError(f"the {kind} {name}: there is a {other} of that name", "another name")


def without(plan: Plan, name: str) -> Plan:
    """Without the zone or the line of that name. Raises ``ConfigError``."""
    if name not in plan.zones and name not in plan.lines:
        raise ConfigError(
            f'nothing is called "{name[:32]}"', f"there is {', '.join((*plan.zones, *plan.lines))}"
        )
    zones, lines = ({k: v for k, v in one.items() if k != name} for one in (plan.zones, plan.lines))
    return Plan(zones, lines)  # type: ignore[arg-type]


def read(document: bytes) -> Plan:
    """What a page sends. Raises ``ConfigError``."""
    try:
        found = msgspec.json.decode(document, type=Plan)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ConfigError("the page sent no zones and lines", "reload the page") from None
    for name, corners in found.zones.items():
        _alone("zone", name, "line", found.lines)
        if wrong := flaw(corners):
            raise ConfigError(f"the zone {name}: {wrong}", "its sides may meet only at its corners")
    return found


def toml(plan: Plan, pipeline: str) -> str:
    """The tables of a pipeline that hold it, "" when there is nothing."""
    return "\n".join(_tables(plan, pipeline))


def _tables(plan: Plan, pipeline: str) -> Iterator[str]:
    if plan.zones:
        yield f"[pipelines.{pipeline}.zones]"
        yield from (f"{name} = {_points(corners)}" for name, corners in plan.zones.items())
        yield ""
    for name, line in plan.lines.items():
        yield f"[pipelines.{pipeline}.lines.{name}]"
        yield f"points = {_points(line.points)}"
        yield f'forward = "{line.forward}"'
        yield f'backward = "{line.backward}"'
        yield ""


def _points(points: tuple[Point, ...]) -> str:
    return "[" + ", ".join(f"[{_number(x)}, {_number(y)}]" for x, y in points) + "]"


def _number(value: float) -> str:
    return repr(round(float(value), DIGITS))


def _read(text: str) -> tuple[str, tuple[Point, ...]]:
    name, *words = text.split() or [""]
    try:
        msgspec.convert(name, Name)
        points = tuple(_point(one) for one in words)
    except (msgspec.ValidationError, ValueError):
        raise ConfigError(f'"{text[:60]}" is no name with points', HOW) from None
    return name, points


def _point(word: str) -> Point:
    x, y = word.split(",")
    return round(float(x), DIGITS), round(float(y), DIGITS)


def _shape(given: object, shape: object, what: str, allowed: str) -> Any:
    try:
        return msgspec.convert(given, shape)
    except msgspec.ValidationError:
        raise ConfigError(f"{what} cannot be drawn", f"{allowed}, each 0 to 1; {HOW}") from None
