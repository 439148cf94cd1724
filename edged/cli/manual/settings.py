"""edged.toml(5), made of the config's shape and of the reference that is shipped: every key with its type,
limits and default, explained by the comment that stands above it in edged.toml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, get_args, get_origin

import msgspec

from edged import __version__
from edged.cli.manual import roff
from edged.config import descriptions, duration, shape
from edged.config.shipped import folder
from edged.config.validation import described, extras, fields, is_struct, required, split, structs_of

#: A commented line of TOML, against a line of prose.
_LIVE: Final = re.compile(r"#(?=\[{1,2}[a-z.]+\]|[a-z0-9_]+ = )")
_HEADER: Final = re.compile(r"\[{1,2}([a-z0-9_.]+)\]{1,2}$")
_KEY: Final = re.compile(r"([a-z0-9_]+) = (.*)$")
#: How tables whose keys the owner chooses are written here.
_NAMES: Final = {"models": "models.NAME", "pipelines": "pipelines.NAME"}

DESCRIPTION: Final = """
The config says what is counted: each pipeline takes frames from one source, shows them to one model, and
makes its measures of what that saw. It is a file in TOML. Whoever may write to it decides what is counted;
the service's belongs to root, and the group edged may read it.

An unknown key is an error, and so is a value that is not allowed; nothing is guessed. `edged check FILE`
tells everything that is wrong with a config at once, with line, key, what was found and what is allowed. It
looks for nothing that the config names. A service takes a changed config with `systemctl reload edged`; a
wrong one is refused, and what ran goes on.

Below, NAME in a table's header is of the owner's choice, and [[...]] stands for a table of which there may
be several. /etc/edged/edged.toml holds every key with its default, commented out. `edged schema` prints a
JSON Schema, by which editors complete and check a config while it is written.
"""

VALUES: Final = {
    "a duration": f"{duration.words()}. A year has 365.25 days.",
    "a path": "Absolute, or from the config's own folder. Neither ~ nor a variable is replaced.",
    "a name": "1 to 32 of a-z, 0-9, - and _, a letter or a digit first.",
    "a fraction": "From 0 to 1; of positions, from the left and from the top.",
}

EXAMPLE: Final = """
[pipelines.hall]
model = "people"
rate = 2.0
source = { kind = "v4l2", device = "/dev/video0" }
measures = [{ kind = "occupancy", labels = ["person"], zones = ["door"] }]

[pipelines.hall.zones]
door = [[0.05, 0.2], [0.35, 0.2], [0.35, 0.95], [0.05, 0.95]]

[models.people]
file = "/var/lib/edged/models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
"""


class Group(msgspec.Struct):
    """Keys that stand together below one comment in the reference."""

    keys: list[str]
    comment: str


def page() -> str:
    """The whole page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield r".\" Written by `python -m edged.cli.manual` from config/edged.toml and its shape: change those."
    yield from roff.head("EDGED.TOML", 5, __version__)
    yield roff.section("NAME")
    yield r"edged.toml \- what edged counts, and with what"
    yield roff.section("SYNOPSIS")
    yield from (roff.bold("/etc/edged/edged.toml"), ".br", roff.bold("edged.toml"))
    yield roff.section("DESCRIPTION")
    yield from roff.paragraphs(DESCRIPTION)
    yield roff.section("VALUES")
    for name, text in VALUES.items():
        yield from roff.item([roff.bold(name)], text)
    reference = _groups((folder() / "edged.toml").read_text())
    order = list(reference)
    told = [one for one in tables(shape.Config, "") if one[1] in reference]
    for name, struct, tag in sorted(told, key=lambda one: order.index(one[1])):
        yield from _table(name, struct, tag, reference.get(struct, []))
    yield roff.section("EXAMPLE")
    yield from roff.paragraphs("How many people are at the door, looked at twice a second:")
    yield from roff.example(EXAMPLE)
    yield roff.section("SEE ALSO")
    yield from roff.paragraphs("edged(1), edged.service(8)", "")


def tables(hint: Any, name: str) -> Iterator[tuple[str, Any, str]]:
    """Every table that a config may hold: (its name in TOML, its struct, its ``kind`` if that chooses it)."""
    base, _ = split(hint)
    for tag, one in structs_of(base).items():
        yield name, one, tag
        base = None
    if is_struct(base):
        yield name, base, ""
        for key, inner in fields(base).items():
            yield from tables(inner, _NAMES.get(key, f"{name}.{key}".lstrip(".")))
    elif get_origin(base) in (dict, tuple):
        yield from tables(
            get_args(base)[get_origin(base) is dict], f"[{name}]" if get_origin(base) is tuple else name
        )


def _table(name: str, struct: Any, tag: str, groups: list[Group]) -> Iterator[str]:
    """A chapter: the table, and below it its keys as they stand in the reference, what that lacks last."""
    hints = {key: hint for key, hint in fields(struct).items() if not holds_tables(hint)}
    if not hints:
        return
    with_kind = f' with kind = "{tag}"' if tag else ""
    yield roff.section(f"[{name}]{with_kind}")
    yield from roff.paragraphs(f"{descriptions.TABLES[struct.__name__]}.")
    told: set[str] = set()
    for group in groups:
        keys = [key for key in group.keys if key in hints and key not in told]
        told |= set(keys)
        if keys:
            yield from roff.item([_tag(struct, key) for key in keys], _text(struct, keys, group.comment))
    for key in (one for one in hints if one not in told):
        yield from roff.item([_tag(struct, key)], _text(struct, [key], ""))


def holds_tables(hint: Any) -> bool:
    """Whether what is below a key has a chapter of its own."""
    base, _ = split(hint)
    inner = get_args(base)[1] if get_origin(base) is dict else base
    return is_struct(inner) or bool(structs_of(inner))


def _tag(struct: Any, key: str) -> str:
    if key in required(struct):
        return f"{roff.bold(key)} (required)"
    value = _default(struct, key)
    return roff.bold(key) if value is None else f"{roff.bold(key)} = {roff.literal(value)}"


def _text(struct: Any, keys: list[str], comment: str) -> str:
    """The comment, or what the schema says of a key without one; then what is allowed."""
    text = comment.removeprefix("Required: ").removeprefix("Required. ")
    if any(key in required(struct) or _default(struct, key) is not None for key in keys):
        text = re.sub(r"\s*Default: .*$", "", text)  # it stands beside the key
    text = text or "; ".join(descriptions.KEYS[f"{struct.__name__}.{key}"] for key in keys)
    allowed = {key: _allowed(fields(struct)[key]) for key in keys}
    kinds = set(allowed.values())
    each = kinds if len(kinds) == 1 else {f"`{key}` {words}" for key, words in allowed.items()}
    return f"{text.strip().rstrip('.')}. Allowed: {'; '.join(sorted(each))}."


def _allowed(hint: Any) -> str:
    """What may be written, shortly: long words for durations and paths stand in VALUES."""
    base, metas = split(hint)
    extra, words = extras(metas), described(hint)
    if get_origin(base) is dict:
        return f"a table, each value {described(get_args(base)[1])}"
    if "duration" in extra:
        return words.partition(":")[0]
    if "path" in extra:
        return "a path"
    return words


def _default(struct: Any, key: str) -> str | None:
    """The default as an owner would write it; None where there is none."""
    field = next(one for one in msgspec.structs.fields(struct) if one.name == key)
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if isinstance(value, float) and "duration" in extras(split(fields(struct)[key])[1]):
        return json.dumps(duration.text(value)) if value else "0"
    return None if value is None else _toml(value)


def _toml(value: object) -> str:
    match value:
        case msgspec.Struct():
            told = {key: getattr(value, key) for key in required(type(value))}
            return _toml(told)
        case dict():
            inner = ", ".join(f"{key} = {_toml(one)}" for key, one in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def _groups(text: str) -> dict[Any, list[Group]]:
    """The reference's keys by the struct they belong to, in its order, each group with its comment."""
    found: dict[Any, list[Group]] = {}
    for header, body in _blocks(text):
        kind = next((value.strip('"') for key, value in map(_pair, body) if key == "kind"), "")
        struct = _struct(header, kind)
        if struct is not None:
            found.setdefault(struct, []).extend(_commented(body))
    return found


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each table's header and lines, commented keys made live."""
    header, body = "", list[str]()
    for line in (_LIVE.sub("", one) for one in text.split("\n")):
        if named := _HEADER.match(line):
            yield header, body
            header, body = named[1], []
        else:
            body.append(line)
    yield header, body


def _pair(line: str) -> tuple[str, str]:
    pair = _KEY.match(line)
    return (pair[1], pair[2]) if pair else ("", "")


def _commented(body: list[str]) -> Iterator[Group]:
    prose: list[str] = []
    group: Group | None = None
    for line in body:
        if key := _pair(line)[0]:
            if group is None:
                group = Group([], " ".join(prose))
                yield group
            group.keys.append(key)
        else:
            prose = (
                [*prose, line[2:]]
                if line.startswith("# ") and group is None
                else [line[2:]] * line.startswith("# ")
            )
            group = None


def _struct(header: str, kind: str) -> Any:
    """The struct of a table by its header; None for a table without known keys."""
    hint: Any = shape.Config
    for part in filter(None, header.split(".")):
        base, _ = split(hint)
        if is_struct(base):
            hint = fields(base)[part]
        else:
            hint = get_args(base)[1] if get_origin(base) is dict else None
        base, _ = split(hint)
        if get_origin(base) is tuple:
            hint = get_args(base)[0]
    base, _ = split(hint)
    return structs_of(base).get(kind) or (base if is_struct(base) else None)
