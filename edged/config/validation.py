"""A parsed document -> the structs of ``shape``, and every problem on the way instead of only the first.

It knows no key and no limit by itself: it walks the types of ``shape`` and lets msgspec judge each leaf, so
that the check and msgspec cannot disagree (a test compares them on random documents). What is wrong is left
out of the result, so that what hangs together can still be checked for the rest.
"""

from __future__ import annotations

import datetime
import functools
import math
import types
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from edged.config import duration
from edged.config.lines import Path
from edged.config.problem import Problem, likely, listed, shown

S = TypeVar("S", bound=msgspec.Struct)


#: A place in a picture from here on is no slip of the pen.
PIXELS: Final = 2.0


class _Nothing:
    """The value of what could not be made."""


NOTHING: Final = _Nothing()


class Walk:
    """One walk over one document. ``folder`` is what relative paths start from.

    Afterwards ``problems`` holds what was wrong, and ``paths`` where each struct stood, by its ``id``.
    """

    def __init__(self, folder: PurePosixPath) -> None:
        self._folder = folder
        self.problems: list[Problem] = []
        self.paths: dict[int, Path] = {}
        self._in_pixels: set[Path] = set()

    def struct(self, value: object, shape: type[S], path: Path = ()) -> S | _Nothing:
        """``value`` as a ``shape``, or ``NOTHING``. With ``problems`` it is good for looking further, and for
        nothing else.
        """
        if not isinstance(value, dict):
            return self._wrong(path, shown(value), "a table")
        hints = fields(shape)
        given = {}
        for key, one in value.items():
            if key in hints:
                given[key] = self._value(one, hints[key], (*path, key))
            elif key != shape.__struct_config__.tag_field:
                self._unknown(key, tuple(hints), path)
        made = {key: one for key, one in given.items() if one is not NOTHING}
        for key in required(shape):
            if key in made:
                continue
            if key not in value:
                self._wrong((*path, key), "no such key", f"required here: {described(hints[key])}")
            if (instead := stand_in(hints[key])) is NOTHING:
                return NOTHING
            made[key] = instead
        result = shape(**made)
        self.paths[id(result)] = path
        return result

    def _value(self, value: object, hint: Any, path: Path) -> object:
        base, metas = split(hint)
        if is_struct(base):
            return self.struct(value, base, path)
        if options := structs_of(base):
            return self._tagged(value, options, path)
        if get_origin(base) is dict:
            return self._table(value, base, metas, path)
        if get_origin(base) is tuple:
            return self._array(value, base, metas, path)
        return self._leaf(value, hint, metas, path)

    def _tagged(self, value: object, options: Mapping[str, type[msgspec.Struct]], path: Path) -> object:
        if not isinstance(value, dict):
            return self._wrong(path, shown(value), "a table")
        field = next(iter(options.values())).__struct_config__.tag_field
        assert field
        kind = value.get(field, NOTHING)
        if isinstance(kind, str) and kind in options:
            return self.struct(value, options[kind], path)
        found = "no such key" if kind is NOTHING else shown(kind)
        hint = likely(kind, tuple(options)) if isinstance(kind, str) else ""
        return self._wrong((*path, field), found, listed(tuple(options)), hint)

    def _table(self, value: object, base: Any, metas: tuple[Meta, ...], path: Path) -> object:
        if not isinstance(value, dict):
            return self._wrong(path, shown(value), "a table")
        key_hint, value_hint = get_args(base)
        made = {}
        for key, one in value.items():
            good = self._leaf(key, key_hint, (), (*path, key))
            result = self._value(one, value_hint, (*path, key))
            if good is not NOTHING and result is not NOTHING:
                made[key] = result
        return made if self._sized(value, dict, metas, path, "entries") else NOTHING

    def _array(self, value: object, base: Any, metas: tuple[Meta, ...], path: Path) -> object:
        if not isinstance(value, list):
            return self._wrong(path, shown(value), described(base))
        args = get_args(base)
        hints = (args[0],) * len(value) if args[-1] is Ellipsis else args
        if len(value) != len(hints):
            return self._wrong(path, shown(value), described(base))
        if not self._sized(value, list, metas, path, "elements"):
            return NOTHING
        made = [
            self._value(one, hint, (*path, at))
            for at, (one, hint) in enumerate(zip(value, hints, strict=True))
        ]
        whole = tuple(one for one in made if one is not NOTHING)
        # A polygon without one of its corners is another polygon, but a measure stands by itself.
        return whole if len(whole) == len(made) or is_struct(args[0]) else NOTHING

    def _sized(self, value: object, kind: type, metas: tuple[Meta, ...], path: Path, noun: str) -> bool:
        for meta in metas:
            try:
                msgspec.convert(value, Annotated[kind, meta])
            except msgspec.ValidationError:
                assert isinstance(value, (dict, list))
                low, high = meta.min_length or 0, meta.max_length
                self._wrong(
                    path,
                    f"{len(value)} {noun}",
                    f"{low} to {high}" if high is not None else f"at least {low}",
                )
                return False
        return True

    def _leaf(self, value: object, hint: Any, metas: tuple[Meta, ...], path: Path) -> object:
        try:
            plain = self._plain(value, extras(metas))
            finite = not isinstance(plain, float) or math.isfinite(plain)
            if not finite and (plain != math.inf or "duration" not in extras(metas)):
                raise ValueError
            return msgspec.convert(plain, hint)
        except (ValueError, OverflowError):  # msgspec.ValidationError is a ValueError
            choices = choices_of(split(hint)[0])
            near = likely(value, choices) if isinstance(value, str) else ""
            if "place" in extras(metas) and isinstance(value, int | float) and value >= PIXELS:
                return self._pixels(value, hint, path)
            return self._wrong(path, shown(value), described(hint), near)

    def _pixels(self, value: float, hint: Any, path: Path) -> _Nothing:
        """A zone or a line in pixels is one mistake, however many corners it has."""
        drawing = path[:-2]
        if drawing in self._in_pixels:
            return NOTHING
        self._in_pixels.add(drawing)
        advice = "fractions of the picture, not pixels: divide x by its width, y by its height"
        return self._wrong(path, shown(value), described(hint), advice)

    def _plain(self, value: object, extra: Mapping[str, object]) -> object:
        """What an owner may write in his own way, as the struct has it. Raises ``ValueError``."""
        if "duration" in extra and isinstance(value, str):
            return duration.seconds(value)
        if "moment" in extra:
            return moment(value)
        if "path" in extra and isinstance(value, str):
            return self._absolute(value)
        return value

    def _absolute(self, text: str) -> str:
        if text.startswith("~") or "\0" in text:
            raise ValueError
        if not text or text.startswith("builtin:"):
            return text
        return str(self._folder / text)

    def _unknown(self, key: str, known: tuple[str, ...], path: Path) -> None:
        self._wrong((*path, key), "an unknown key", listed(known), likely(key, known))

    def _wrong(self, path: Path, found: str, allowed: str, hint: str = "") -> _Nothing:
        self.problems.append(Problem(path, found, allowed, hint))
        return NOTHING


def moment(value: object) -> str:
    """An RFC 3339 date-time with its offset, from text or from TOML's own. Raises ``ValueError``."""
    if value == "":
        return ""
    parsed = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(parsed, datetime.datetime) or parsed.utcoffset() is None:
        raise ValueError(f"{value!r} is no date and time with an offset")
    return parsed.isoformat()


def stand_in(hint: Any) -> object:
    """Something for a required key that is missing or wrong, so that what is around it can be checked."""
    base, _ = split(hint)
    if base is str:
        return ""
    if get_origin(base) is dict:
        return {}
    return next((one() for one in structs_of(base).values() if not required(one)), NOTHING)


@functools.cache
def fields(shape: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The annotations of a struct's fields, in order, as objects."""
    hints = get_type_hints(shape, include_extras=True)
    return {name: hints[name] for name in shape.__struct_fields__}


def required(shape: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields without a default."""
    return tuple(one.name for one in msgspec.structs.fields(shape) if one.required)


def split(hint: Any) -> tuple[Any, tuple[Meta, ...]]:
    """The type under ``Annotated`` and ``| None`` (TOML has no null), and all ``Meta`` around it, the inner
    ones first.
    """
    if get_origin(hint) is Annotated:
        base, metas = split(hint.__origin__)
        return base, metas + tuple(one for one in hint.__metadata__ if isinstance(one, Meta))
    if get_origin(hint) in (Union, types.UnionType):
        some = [one for one in get_args(hint) if one is not type(None)]
        if len(some) == 1:
            return split(some[0])
    return hint, ()


def is_struct(hint: Any) -> bool:
    """Whether this is a table with known keys."""
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def structs_of(base: Any) -> Mapping[str, type[msgspec.Struct]]:
    """The members of a tagged union by tag; empty when it is none."""
    members = get_args(base) if get_origin(base) in (Union, types.UnionType) else ()
    if not all(map(is_struct, members)):
        return {}
    return {str(one.__struct_config__.tag): one for one in members}


def choices_of(base: Any) -> tuple[str, ...]:
    """The words of a ``Literal``; empty when it is none."""
    return tuple(map(str, get_args(base))) if get_origin(base) is Literal else ()


def extras(metas: tuple[Meta, ...]) -> Mapping[str, object]:
    """What ``shape`` notes beyond what msgspec knows."""
    return {key: value for meta in metas for key, value in (meta.extra or {}).items()}


def described(hint: Any) -> str:
    """What is allowed, in words."""
    base, metas = split(hint)
    extra = extras(metas)
    if "duration" in extra:
        most = min((meta.le for meta in metas if meta.le is not None), default=math.inf)
        return f"a duration{_range(metas, 's')}: {duration.words(most)}"
    if "moment" in extra:
        return 'a date and time with its offset, such as 2026-03-01T08:00:00+01:00, or ""'
    if "path" in extra:
        return "a path, absolute or from the config file's folder (~ has no meaning here)"
    if words := next((one.description for one in metas if one.description), ""):
        return words
    if choices := choices_of(base):
        return listed(choices)
    return _described_base(base, metas)


def _described_base(base: Any, metas: tuple[Meta, ...]) -> str:
    args = get_args(base)
    if get_origin(base) is tuple:
        if args[-1] is Ellipsis:
            return f"an array, each element {described(args[0])}"
        return f"an array of {len(args)}, each element {described(args[0])}"
    if get_origin(base) in (Union, types.UnionType) and not structs_of(base):
        return " or ".join(map(described, args))
    if base is str:
        return f"text{_length(metas)}"
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(base, "a table") + _range(
        metas
    )


def _range(metas: tuple[Meta, ...], unit: str = "") -> str:
    limits = {
        name: getattr(meta, name)
        for meta in metas
        for name in ("gt", "ge", "le")
        if getattr(meta, name) is not None
    }
    unit = f" {unit}" if unit else ""
    low = f"above {limits['gt']:g}" if "gt" in limits else f"from {limits['ge']:g}" if "ge" in limits else ""
    high = f"to {_exact(limits['le'])}" if "le" in limits else ""
    if low.startswith("from") and not high:
        low = f"of {limits['ge']:g}{unit} or more"
        unit = ""
    both = " ".join(filter(None, (low, high)))
    return f" {both}{unit}" if both else ""


def _exact(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def _length(metas: tuple[Meta, ...]) -> str:
    limits = {
        name: getattr(meta, name)
        for meta in metas
        for name in ("min_length", "max_length")
        if getattr(meta, name)
    }
    match limits:
        case {"min_length": low, "max_length": high}:
            return f" of {low} to {high} characters"
        case {"max_length": high}:
            return f" of at most {high} characters"
        case {"min_length": 1}:
            return ", not empty"
    return ""
