"""What is right by itself but does not go together: names that lead nowhere, doubles, contradictions.

Each rule yields a ``Problem`` without file and line. Names are looked up in the raw document, so that a model
with an error of its own is not also reported as missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

import msgspec

from edged.config import duration, measures, sensors, shape, sight, sound
from edged.config.lines import Path
from edged.config.polygon import flaw
from edged.config.problem import Problem, dotted, likely, listed, shown
from edged.errors import ConfigError
from edged.series import series_of
from edged.wall import MOST_SERIES

BUILTIN: Final = "builtin:activity"
#: No model at all: the source's numbers as they are.
NO_MODEL: Final = "builtin:none"
#: The models that are there without being defined.
PREDEFINED: Final[Mapping[str, shape.Model]] = {
    "activity": shape.Model(file=BUILTIN),
    "none": shape.Model(file=NO_MODEL),
}
#: What our own models' outputs mean.
OWN: Final = {BUILTIN: "activity", NO_MODEL: "values"}
#: What a model can be asked for where its decoder is known before it is opened; a test holds this equal to
#: the worker's.
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "detector": (
        "occupancy",
        "presence",
        "crossings",
        "visits",
        "dwell",
        "flow",
        "queue",
        "speed",
    ),
    "activity": ("presence", "activity"),
    "classifier": ("presence", "events"),
    "values": ("level",),
    "segmentation": ("area",),
}
#: A model of poses gives detections, whose labels are these; the same test.
POSES: Final = ("standing", "sitting", "lying", "arms raised", "unclear")
#: Seconds of each resolution that can be kept, the finest first.
WIDTHS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
#: A bucket is rolled up once it is over: the finer ones must still be there, on the longest day (25 h) and
#: after a night without power.
MARGIN: Final = 2.0
#: A target below this is none: boards at rest are warmer on a summer's day.
COOLEST_TARGET: Final = 40.0  # °C


def contradictions(
    config: shape.Config, raw: Mapping[str, Any], paths: Mapping[int, Path]
) -> Iterator[Problem]:
    """All that does not go together. ``config`` holds what was valid by itself, ``raw`` the document,
    ``paths`` its places.
    """
    yield from _retention(config.store)
    yield from _timezone(config.clock)
    yield from _governor(config.governor)
    for name, model in config.models.items():
        yield from _model(model, ("models", name))
    for name, pipeline in config.pipelines.items():
        path: Path = ("pipelines", name)
        yield from _source(pipeline.source, (*path, "source"))
        yield from _zones(pipeline, path)
        yield from measures.drawn(pipeline, path)
        yield from _references(pipeline, path, raw)
        yield from _ladder(pipeline, path, raw, config.models)
        yield from _known_zones(pipeline, path, raw, paths)
        zones, lines = (_names(raw, *map(str, path), one) for one in ("zones", "lines"))
        yield from measures.drawings(pipeline, path, zones, lines, paths)
        yield from _measures(name, pipeline, config.models, paths)
        yield from sensors.contradictions(pipeline, path, config.models, paths)
        yield from sound.contradictions(pipeline, path, config.models)
        yield from sight.contradictions(pipeline, path, config.models)
    yield from _same_device(config.pipelines)


def _retention(store: shape.Store) -> Iterator[Problem]:
    kept = [(name, getattr(store.keep, name)) for name in WIDTHS if getattr(store.keep, name)]
    if not kept:
        yield Problem(
            ("store", "keep"), "nothing is kept", "a duration above 0 for one of second, minute, hour, day"
        )
    for name, long in kept:
        if long < max(WIDTHS[name], store.commit_every):
            least = duration.text(max(WIDTHS[name], store.commit_every))
            yield Problem(
                ("store", "keep", name),
                f"{duration.text(long)}, gone before it is written once",
                f"0 or at least {least} (the bucket itself and [store] commit_every)",
            )
    for (fine, long), (coarse, _) in pairwise(kept):
        if long < (least_kept := MARGIN * WIDTHS[coarse]):
            yield Problem(
                ("store", "keep", fine),
                f"{duration.text(long)}, while each {coarse} is made of the {fine}s kept",
                f"at least {duration.text(least_kept)}, or {coarse} = 0",
            )


def _timezone(clock: shape.Clock) -> Iterator[Problem]:
    if not clock.timezone:
        return
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(clock.timezone)
    except (KeyError, ValueError, OSError):
        known = tuple(sorted(zoneinfo.available_timezones()))
        near = {one.lower(): one for one in known}
        hint = (
            likely(clock.timezone, tuple(near))
            if known
            else "this system has no time zones: apt install tzdata"
        )
        for low, one in near.items():
            hint = hint.replace(f'"{low}"', f'"{one}"')
        yield Problem(
            ("clock", "timezone"),
            shown(clock.timezone),
            'a name such as "Europe/Berlin", or "" for the system\'s',
            hint,
        )


def _governor(governor: shape.Governor) -> Iterator[Problem]:
    if 0.0 < governor.target < COOLEST_TARGET:
        yield Problem(
            ("governor", "target"),
            f"{governor.target:g}",
            f"{COOLEST_TARGET:g} °C or more, or 0 for two below the board's own limit",
            "a board at rest in the sun is warmer than that, so it would never work",
        )
    if governor.battery_reserve >= governor.battery_comfort:
        yield Problem(
            ("governor", "battery_comfort"),
            f"{governor.battery_comfort:g} beside a reserve of {governor.battery_reserve:g}",
            "more than battery_reserve",
        )
    for at, hours in enumerate(governor.quiet):
        begin, _, end = hours.partition("-")
        if begin == end:
            yield Problem(("governor", "quiet", at), f"{shown(hours)}, of no length", "two different times")
    yield from _doubles(governor.quiet, ("governor", "quiet"))
    if governor.quiet and not governor.enabled:
        yield Problem(
            ("governor", "quiet"),
            "hours beside enabled = false",
            "enabled = true, or no quiet hours",
            "a governor that only watches would look through them",
        )
    if governor.board != "auto":
        yield from _board(governor.board)


def _board(name: str) -> Iterator[Problem]:
    from edged.board import simulated

    try:
        simulated.opened(name)
    except ConfigError as error:
        yield Problem(("governor", "board"), shown(name), error.hint, error.message)


def _model(model: shape.Model, path: Path) -> Iterator[Problem]:
    builtin = model.file.startswith("builtin:")
    if builtin and model.file not in OWN:
        yield Problem((*path, "file"), shown(model.file), f"a path, or {listed(tuple(OWN))}")
    if builtin and model.delegate == "edgetpu":
        yield Problem((*path, "delegate"), '"edgetpu"', f'"auto" or "cpu": {model.file} runs on the CPU')
    if model.file in OWN and model.decoder not in ("auto", OWN[model.file]):
        allowed = f'"auto" or "{OWN[model.file]}" for {model.file}'
        yield Problem((*path, "decoder"), shown(model.decoder), allowed)
    if model.labels and model.labels_file:
        yield Problem((*path, "labels_file"), "a second list of labels", "either labels or labels_file")
    yield from _doubles(model.labels, (*path, "labels"))
    if model.delegate == "cpu":
        for key in ("edgetpu_file", "delegate_library"):
            if getattr(model, key):
                yield Problem(
                    (*path, key),
                    shown(getattr(model, key)),
                    'only with delegate "auto" or "edgetpu", not "cpu"',
                )
    if len(model.mean) != len(model.std):
        yield Problem(
            (*path, "std"), f"{len(model.std)} numbers beside {len(model.mean)} of mean", "as many of each"
        )
    if not all(one > 0 for one in model.std):
        yield Problem((*path, "std"), "0 or less", "numbers above 0: the input is divided by them")


def _doubles(words: tuple[str, ...], path: Path) -> Iterator[Problem]:
    for at, word in enumerate(words):
        if word in words[:at]:
            yield Problem((*path, at), f"{shown(word)} a second time", "each once")


def _source(source: shape.Source, path: Path) -> Iterator[Problem]:
    if isinstance(source, shape.Synthetic | shape.File) and source.start and source.pace != "fast":
        yield Problem(
            (*path, "start"),
            shown(source.start),
            'only with pace = "fast"; at the pace "real" the time is now',
        )
    if isinstance(source, shape.Synthetic | shape.V4l2) and bool(source.width) != bool(source.height):
        missing = "height" if source.width else "width"
        yield Problem(
            (*path, missing), "0 beside the other, which is set", "both width and height, or neither"
        )


def _zones(pipeline: shape.Pipeline, path: Path) -> Iterator[Problem]:
    for name, corners in pipeline.zones.items():
        if wrong := flaw(corners):
            yield Problem(
                (*path, "zones", name),
                wrong,
                "a polygon whose sides meet only at its corners, of at least 0.0001",
            )


def _references(pipeline: shape.Pipeline, path: Path, raw: Mapping[str, Any]) -> Iterator[Problem]:
    models = (*_names(raw, "models"), *PREDEFINED)
    if pipeline.model not in models:
        yield Problem(
            (*path, "model"),
            f"{shown(pipeline.model)}, which is not defined",
            listed(models),
            likely(pipeline.model, models),
        )


def _ladder(
    pipeline: shape.Pipeline, path: Path, raw: Mapping[str, Any], models: Mapping[str, shape.Model]
) -> Iterator[Problem]:
    """The models to step down to: there, each once, and able to do the whole job."""
    known = (*_names(raw, "models"), *PREDEFINED)
    for at, name in enumerate(pipeline.ladder):
        place: Path = (*path, "ladder", at)
        if name not in known:
            found = f"{shown(name)}, which is not defined"
            yield Problem(place, found, listed(known), likely(name, known))
        elif name == pipeline.model:
            yield Problem(place, f"{shown(name)}, which is the pipeline's model", "cheaper models than that")
        elif name in pipeline.ladder[:at]:
            yield Problem(place, f"{shown(name)} a second time", "each once")
        elif model := models.get(name, PREDEFINED.get(name)):
            yield from _every_measure(pipeline, name, model, place)
    if pipeline.rate and pipeline.least_rate > pipeline.rate:
        found = f"{pipeline.least_rate:g}, above the rate of {pipeline.rate:g}"
        yield Problem((*path, "least_rate"), found, f"0 to {pipeline.rate:g}")
    yield from _qualities(pipeline, path, models)


def _every_measure(pipeline: shape.Pipeline, name: str, model: shape.Model, place: Path) -> Iterator[Problem]:
    """Counts must mean the same on every rung."""
    for measure in pipeline.measures:
        for one in _possible(measure, model, ()):
            found = f"{shown(name)}, which cannot give {measure.kind}: its {one.path[0]} {one.found}"
            yield Problem(place, found, f"models that give every measure ({one.allowed})")
            return


def _qualities(pipeline: shape.Pipeline, path: Path, models: Mapping[str, shape.Model]) -> Iterator[Problem]:
    """Numbers are compared with numbers, places with places."""
    names = (pipeline.model, *pipeline.ladder)
    rated = [name for name in names if name in models and models[name].quality]
    if rated and len(rated) < len(names):
        left = ", ".join(name for name in names if name not in rated)
        yield Problem(
            (*path, "ladder"),
            f"a quality for {', '.join(rated)}, none for {left}",
            "a quality for each of its models, or for none",
        )


def _names(raw: Any, *path: str) -> tuple[str, ...]:
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return tuple(raw) if isinstance(raw, dict) else ()


def _measures(
    name: str, pipeline: shape.Pipeline, models: Mapping[str, shape.Model], paths: Mapping[int, Path]
) -> Iterator[Problem]:
    """The rules that hold between a measure, its model and the measures before it."""
    model = models.get(pipeline.model, PREDEFINED.get(pipeline.model))
    seen: set[tuple[str, str, str]] = set()
    for measure in pipeline.measures:
        path = paths.get(id(measure), ("pipelines", name))
        yield from _doubles(measure.labels, (*path, "labels"))
        yield from _doubles(measure.zones, (*path, "zones"))
        yield from _doubles(measure.lines, (*path, "lines"))
        yield from measures.fitting(measure, path)
        if model and id(measure) not in paths:
            yield from _unasked(measure, model, (*path, "measures"))
        elif model:
            yield from _possible(measure, model, path)
        alone = msgspec.structs.replace(pipeline, measures=(measure,))
        asked = {(one.measure, one.label, one.zone) for one in series_of(name, alone)}
        for kind, label, zone in sorted(asked & seen):
            what = " ".join(
                filter(None, (kind, label and f"of {shown(label)}", zone and f"in {shown(zone)}"))
            )
            yield Problem(path, f"{what} a second time", "a kind of measure once for each label and zone")
        seen |= asked
    if (number := len(series_of(name, pipeline))) > MOST_SERIES:
        path = ("pipelines", name, "measures")
        yield Problem(path, f"{number} series (labels times zones of each measure)", f"at most {MOST_SERIES}")


def _unasked(measure: shape.Measure, model: shape.Model, path: Path) -> Iterator[Problem]:
    """A pipeline without measures gets one that its model may not be able to give."""
    for one in _possible(measure, model, ()):
        found = f"no such key, which means {shown(measure.kind)}"
        yield Problem(path, found, f"here required, of kind {one.allowed}")
        return


def _known_zones(
    pipeline: shape.Pipeline, path: Path, raw: Mapping[str, Any], paths: Mapping[int, Path]
) -> Iterator[Problem]:
    known = _names(raw, *map(str, path), "zones")
    for measure in pipeline.measures:
        for at, zone in enumerate(measure.zones):
            if zone not in known:
                place = (*paths.get(id(measure), path), "zones", at)
                allowed = listed(known, f"none: [{dotted(path)}.zones] defines no zone")
                yield Problem(place, f"{shown(zone)}, which is not defined", allowed, likely(zone, known))


def _possible(measure: shape.Measure, model: shape.Model, path: Path) -> Iterator[Problem]:
    """What can be told before the model is opened; the worker judges the rest."""
    decoder = OWN.get(model.file, model.decoder)
    kinds = KINDS.get("detector" if decoder == "pose" else decoder, ())
    if kinds and measure.kind not in kinds:
        yield Problem(
            (*path, "kind"), shown(measure.kind), f"{listed(kinds)}: all that this model ({decoder}) can tell"
        )
    if decoder == "activity" and measure.labels:
        yield Problem(
            (*path, "labels"), shown(measure.labels), "none: this model recognises nothing and nobody"
        )
    if decoder in ("classifier", "values") and measure.zones:
        yield Problem(
            (*path, "zones"), shown(measure.zones), f"none: this model ({decoder}) judges the whole picture"
        )
    known = POSES if decoder == "pose" else model.labels
    if known:
        for at, label in enumerate(measure.labels):
            if label not in known:
                found = f"{shown(label)}, which the model's labels do not have"
                yield Problem((*path, "labels", at), found, listed(known), likely(label, known))


def _same_device(pipelines: Mapping[str, shape.Pipeline]) -> Iterator[Problem]:
    """A camera, a microphone, a serial line or the buffer of an iio device can be opened once."""
    owners: dict[tuple[str, str], str] = {}
    for name, pipeline in pipelines.items():
        match pipeline.source:
            case shape.V4l2(device=device) if pipeline.enabled:
                key, value = "device", device
            case shape.Camera(number=number) if pipeline.enabled:
                key, value = "number", str(number)
            case shape.Serial(device=device) | shape.Microphone(device=device) if pipeline.enabled:
                key, value = "device", device
            case shape.Iio(device=device, mode="buffered") if pipeline.enabled:
                key, value = "device", device
            case _:
                continue
        # ALSA's plughw: is hw: with a converter before it.
        owner = owners.setdefault((key, value.removeprefix("plug")), name)
        if owner != name:
            path = ("pipelines", name, "source", key)
            yield Problem(path, f"{value}, which {owner} has already", "each device in one enabled pipeline")
