"""``edged schema``"""

from __future__ import annotations

from edged.cli.options import command as make
from edged.cli.options import print_json


@make(
    "schema",
    ("edged schema > edged.schema.json", 'beside a config that begins with "#:schema ./edged.schema.json"'),
)
def command() -> None:
    """Print the config's JSON Schema (draft 2020-12), by which editors complete and check it."""
    from edged.config.schema import schema

    print_json(schema())
