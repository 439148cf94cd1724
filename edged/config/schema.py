"""The JSON Schema of the config, for editors: completion, descriptions, and red lines while typing.

msgspec makes it out of ``shape``; what JSON Schema cannot know from there (durations as text, dates) and what
editors want (descriptions, defaults as an owner would write them) is put in here.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from edged.config import descriptions, duration, shape
from edged.config.validation import extras, fields, split

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The whole schema, draft 2020-12."""
    (whole,), definitions = msgspec.json.schema_components([shape.Config], ref_template="#/$defs/{name}")
    assert whole == {"$ref": "#/$defs/Config"}
    for name, definition in definitions.items():
        _finish(definition, getattr(shape, name))
    top = definitions.pop("Config")
    return dict(_plain({"$schema": DIALECT, **top, "title": "edged.toml", "$defs": definitions}))


def _finish(definition: dict[str, Any], struct: type[msgspec.Struct]) -> None:
    definition["title"] = struct.__name__
    definition["description"] = descriptions.TABLES[struct.__name__]
    hints = fields(struct)
    for key, prop in definition["properties"].items():
        if key in hints:
            _finish_key(prop, hints[key])
        prop["description"] = descriptions.KEYS[f"{struct.__name__}.{key}"]
    if not definition["required"]:
        del definition["required"]


def _finish_key(prop: dict[str, Any], hint: Any) -> None:
    extra = extras(split(hint)[1])
    if "duration" in extra:
        limits = {
            key: prop.pop(key) for key in ("minimum", "maximum", "exclusiveMinimum", "type") if key in prop
        }
        prop["anyOf"] = [limits, {"type": "string", "pattern": duration.PATTERN}]
        if prop.get("default") is not None:
            prop["default"] = _duration(prop["default"])
    if "$ref" in prop:
        prop.pop("default", None)  # that of a table is its keys' own


def _duration(value: float) -> float | str:
    return duration.text(value) if value >= 60 or math.isinf(value) else value


def _plain(node: Any) -> Any:
    """Without what TOML and JavaScript's regular expressions lack, and without OpenAPI's own words."""
    if isinstance(node, dict):
        node = {key: _plain(value) for key, value in node.items() if not (key == "default" and value is None)}
        node.pop("discriminator", None)
        if isinstance(node.get("pattern"), str):
            node["pattern"] = node["pattern"].replace(r"\Z", "$")
        some = [one for one in node.get("anyOf", ()) if one != {"type": "null"}]
        if len(some) == 1:
            del node["anyOf"]
            node.update(some[0])
        return node
    return [_plain(one) for one in node] if isinstance(node, list | tuple) else node
