"""Decoders of others: packages that say in their entry points ``edged.decoders`` what they can decode.

One is looked for only when the config names it, in the worker and before the lock: what it imports later is
not there. Looking costs the standard library's reader of packages, some megabytes; who uses edged's own
decoders pays nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Final

from edged.config.shape import Model
from edged.errors import EdgedError, RefusedError, fault
from edged.worker.decode import Decoder, Output, Raw
from edged.worker.observation import Observation

GROUP: Final = "edged.decoders"
RULES: Final = "report that to its makers; docs/decoders.md has the rules"
#: What an entry point leads to: (outputs, labels, model) -> decoder. It raises ``RefusedError`` for outputs
#: that it cannot read.
Factory = Callable[[Sequence[Output], tuple[str, ...], Model], Decoder]

_brought: dict[str, Factory] = {}


def brought(name: str) -> Factory:
    """The factory of that name; imported the first time. Raises ``RefusedError``."""
    if name not in _brought:
        _brought[name] = _loaded(name)
    return _brought[name]


def _loaded(name: str) -> Factory:
    from importlib.metadata import entry_points

    there = entry_points(group=GROUP)
    found = [one for one in there if one.name == name]
    if not found:
        raise _unknown(name, sorted({one.name for one in there}))
    try:
        made = found[0].load()
    except Exception as error:
        # What an import says is its author's words: the kind of error is enough to look for it.
        raise RefusedError(
            f'the decoder "{name}" ({found[0].value}) cannot be imported: {fault(error, name).message}',
            f'try it: python -c "import {found[0].module}" with the Python that runs edged',
        ) from None
    if not callable(made):
        raise RefusedError(
            f'the decoder "{name}" ({found[0].value}) is no function', "docs/decoders.md says what it must be"
        )
    factory: Factory = made
    return factory


def _unknown(name: str, installed: list[str]) -> RefusedError:
    from edged.worker.decode.choice import OWN

    names = [*OWN, *installed]
    near = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return RefusedError(
        f'there is no decoder "{name}"',
        f"{hint}edged brings {', '.join(OWN)}; installed beside them: {', '.join(installed) or 'none'}",
    )


def made(outputs: Sequence[Output], labels: tuple[str, ...], model: Model) -> Decoder:
    """The decoder that ``model`` names. Raises ``RefusedError``."""
    factory = brought(model.decoder)
    try:
        decoder = factory(outputs, labels, model)
    except EdgedError:
        raise
    except Exception as error:
        raise RefusedError(
            f'{model.file}: the decoder "{model.decoder}" fails: {fault(error, model.decoder).message}',
            "report that to its makers",
        ) from None
    _check(decoder, outputs, model)
    return Foreign(decoder, model)


class Foreign:
    """A decoder of others, and whether what it gives is what it promised: asked frame by frame, as the model
    that it reads may give anything.
    """

    def __init__(self, decoder: Decoder, model: Model) -> None:
        from edged.worker.decode.contract import flaw

        self._decoder, self._flaw = decoder, flaw
        self._where = f'{model.file}: the decoder "{model.decoder}"'
        self.tensors, self.gives = decoder.tensors, decoder.gives
        if hasattr(decoder, "labels"):
            self.labels = decoder.labels

    def __call__(self, *raw: Raw) -> Observation:
        """Raises ``RefusedError`` for what is no whole observation."""
        found = self._decoder(*raw)
        if wrong := self._flaw(found, self.gives):
            raise RefusedError(f"{self._where} keeps no rules: {wrong}", RULES)
        return found


def _check(decoder: Decoder, outputs: Sequence[Output], model: Model) -> None:
    from edged.worker.decode.contract import flaw_of_decoder

    if wrong := flaw_of_decoder(decoder, outputs):
        raise RefusedError(
            f'{model.file}: the decoder "{model.decoder}" keeps no rules: {wrong}',
            RULES,
        )
