"""What both ends of the control socket agree on: what a question may hold, and answers that come in parts.

A long answer comes as lines ``{"part": {...}}`` before the last, so that neither end has to hold all of it at
once. A part's lists belong to the result's lists of the same name; items that differ in nothing but their
``rows`` are one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from edged.errors import QuestionError

Part = dict[str, list[dict[str, Any]]]
#: Yields parts, or None where there is nothing to tell yet but others may have a turn; returns the rest.
Telling = Generator[Part | None, None, dict[str, Any]]

Arguments = TypeVar("Arguments", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True):
    """No arguments."""


def understood(request: dict[str, Any], shape: type[Arguments]) -> Arguments:
    """The request as ``shape``. Raises ``QuestionError``: it names the argument, what it was, what may be.

    A field of ``shape`` says in words what it may be: ``Annotated[float, Meta(description="a number")]``.
    """
    fields = {one.encode_name: one for one in msgspec.structs.fields(shape)}
    for name, value in request.items():
        if name not in fields:
            allowed = f"there are {', '.join(fields)}" if fields else "this verb takes none"
            raise QuestionError(f"there is no argument {shown(name)}", allowed)
        try:
            msgspec.convert(value, fields[name].type)
        except (msgspec.ValidationError, OverflowError):
            raise QuestionError(f"{name} is {shown(value)}; allowed is {_words(shape, name)}") from None
    return msgspec.convert(request, shape)


def _words(shape: type[msgspec.Struct], name: str) -> str:
    return next(_descriptions(get_type_hints(shape, include_extras=True)[name]), "something else")


def _descriptions(hint: Any) -> Iterator[str]:
    for one in get_args(hint):
        if isinstance(one, msgspec.Meta):
            yield str(one.description)
        else:
            yield from _descriptions(one)


def shown(value: object, most: int = 40) -> str:
    """A value as JSON, cut short: whoever sent it sees it again."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def whole(telling: Telling) -> dict[str, Any]:
    """All that is told, at once."""
    parts = list[Part]()
    while True:
        try:
            part = next(telling)
        except StopIteration as end:
            return joined(parts, end.value)
        if part is not None:
            parts.append(part)


def joined(parts: Iterable[Part], rest: dict[str, Any]) -> dict[str, Any]:
    """The whole result: ``rest`` with the parts' lists in its own, in order of what their items are about."""
    found: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for part in parts:
        for name, items in part.items():
            known = found.setdefault(name, {})
            for item in items:
                about = tuple(value for key, value in item.items() if key != "rows")
                known.setdefault(about, {**item, "rows": []})["rows"].extend(item["rows"])
    return {**rest, **{name: [items[about] for about in sorted(items)] for name, items in found.items()}}
