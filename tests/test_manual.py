"""The manual: what is made of the code is equal to it, what is written by hand names what is there, and troff
takes all of it without a word.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from emulation import native

from edged import errors
from edged.cli import cli
from edged.cli.manual import commands, roff, settings
from edged.cli.manual.__main__ import PAGES
from edged.config import shape
from edged.config.validation import fields

ROOT = Path(__file__).resolve().parents[1]
MAN = ROOT / "man"
ALL = sorted(path.name for path in MAN.iterdir())
#: The macros and requests that the pages are made of: with these every man reads them alike.
MACROS = {
    "TH",
    "SH",
    "SS",
    "PP",
    "TP",
    "TQ",
    "IP",
    "RS",
    "RE",
    "B",
    "I",
    "BR",
    "RB",
    "br",
    "nf",
    "fi",
    "ad",
    "nh",
}


def shown(page: str) -> str:
    """A page without troff's marks, on one line: what a reader reads."""
    text = re.sub(r"\\f[BIR]|\\&", "", (MAN / page).read_text())
    text = re.sub(r"^\.[A-Za-z]+ ?", "", text, flags=re.MULTILINE)
    for mark, meant in (
        (r"\-", "-"),
        (r"\(aq", "'"),
        (r"\(dq", '"'),
        (r"\(ti", "~"),
        (r"\(ha", "^"),
        (r"\e", "\\"),
    ):
        text = text.replace(mark, meant)
    return " ".join(text.split())


@pytest.mark.parametrize("page", PAGES)
def test_what_is_made_of_the_code_is_equal_to_it(page: str) -> None:
    same = (MAN / page).read_text() == PAGES[page]()
    assert same, (
        f"man/{page} does not say what the code says now: run `python -m edged.cli.manual`, then commit it"
    )


def test_every_command_and_option_is_told() -> None:
    text = shown("edged.1")
    every = list(commands.every(cli))
    assert len(every) > len(cli.list_commands(click.Context(cli)))  # those of groups too
    for _, one, path in every:
        assert f"{' '.join(path)} " in text
        for option in (each for each in one.params if isinstance(each, click.Option)):
            assert all(name in text for name in option.opts), (path, option.opts)


def test_every_exit_code_is_told() -> None:
    kinds = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.EdgedError)
    ]
    assert {one.exit_code for one in kinds} <= set(commands.EXIT_CODES)


def variables(tree: ast.AST) -> Iterator[str]:
    """Names of environment variables that a module reads: ``environ.get("X")``, ``envvar="X"``, ``$X``'s
    tables.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="environ") | ast.Name(id="environ")),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name
            case ast.Subscript(
                value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str(name)), ctx=ast.Load()
            ):
                yield name
            case ast.keyword(arg="envvar", value=ast.Constant(value=str(name))):
                yield name


def test_every_variable_that_is_read_is_told() -> None:
    found = {
        name: path
        for path in (ROOT / "edged").rglob("*.py")
        for name in variables(ast.parse(path.read_text()))
    }
    assert "EDGED_CONFIG" in found
    # What edged sets for a library's sake is not for people.
    told = set(commands.VARIABLES) | {"LIBCAMERA_LOG_LEVELS"}
    assert {name: str(path) for name, path in found.items() if name not in told} == {}


def test_every_key_of_the_config_is_told() -> None:
    text = (MAN / "edged.toml.5").read_text()
    chapters = dict(re.findall(r'^\.SH "?(.+?)"?\n(.*?)(?=^\.SH|\Z)', text, re.MULTILINE | re.DOTALL))
    for name, struct, tag in settings.tables(shape.Config, ""):
        keys = [key for key, hint in fields(struct).items() if not settings.holds_tables(hint)]
        (body,) = [
            body
            for title, body in chapters.items()
            if not keys or (title.startswith(f"[{name}]") and (not tag or f"\\(dq{tag}\\(dq" in title))
        ][:1]
        for key in keys:
            assert f".TP\n\\fB{key}\\fR" in body or f".TQ\n\\fB{key}\\fR" in body, f"[{name}] {key}"


def test_the_example_of_a_config_is_one() -> None:
    from pathlib import PurePosixPath

    from edged.config.loading import judged

    config, problems = judged(tomllib.loads(settings.EXAMPLE), PurePosixPath("/etc/edged"))
    assert [str(one) for one in problems] == []
    assert config is not None


@pytest.mark.parametrize("page", ALL)
def test_commands_that_a_page_tells_to_type_exist(page: str) -> None:
    named = set(
        re.findall(r"(?:\\fB|sudo |^\.B (?:sudo )?)edged ([a-z]+)", (MAN / page).read_text(), re.MULTILINE)
    )
    assert named or page == "edged.toml.5"
    assert named - set(cli.list_commands(click.Context(cli))) == set()


def test_units_that_the_service_s_page_names_exist() -> None:
    units = set(re.findall(r"\bedged[a-z-]*\.service\b", shown("edged.service.8")))
    assert units == {path.name for path in (ROOT / "systemd").glob("*.service")}


def test_the_service_s_page_and_the_unit_agree() -> None:
    unit, page = (ROOT / "systemd/edged.service").read_text(), shown("edged.service.8")
    seconds = re.search(r"^WatchdogSec=(\d+)s$", unit, re.MULTILINE)
    assert seconds and f"killed after {seconds[1]} seconds" in page
    for words in (
        "User=edged",
        "LoadCredentialEncrypted=edged:/etc/edged/credentials",
        "ProtectHome=",
        "DeviceAllow=",
    ):
        assert words in unit
    for example in re.findall(r"^([A-Z]\w+)=", (MAN / "edged.service.8").read_text(), re.MULTILINE):
        assert f"{example}=" in unit, f"the page overrides {example}=, which the unit does not set"


def test_see_also_is_there() -> None:
    for page in ALL:
        named = set(re.findall(r"(edged(?:\.[a-z]+)?)\(([158])\)", shown(page).replace(" (", "(")))
        assert {f"{name}.{number}" for name, number in named} <= set(ALL), page


@pytest.mark.parametrize("page", ALL)
def test_the_pages_are_made_of_few_macros(page: str) -> None:
    lines = (MAN / page).read_text().split("\n")
    requests = {one.split()[0][1:] for one in lines if one.startswith(".") and not one.startswith(".\\")}
    assert requests <= MACROS
    assert [one for one in lines if one.startswith("'") or not one.isascii()] == []


@native("it would only be slow: text is the same on every architecture")
@pytest.mark.parametrize("page", ALL)
def test_troff_takes_it_without_a_word(page: str) -> None:
    if not shutil.which("groff"):
        pytest.skip("groff is not installed here: apt-get install groff-base")
    command = ["groff", "-ww", "-b", "-man", "-Tutf8", str(MAN / page)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "NAME" in done.stdout


NASTY = ["\\fB", ".TH", "'br", "a-b", '"', "~^`", "e\u0301\u20ac", "\\", "..", "-"]


@pytest.mark.parametrize("text", NASTY)
def test_any_text_comes_out_as_it_was(text: str) -> None:
    """Through troff itself, as an item, as an example and in a sentence."""
    if not shutil.which("groff"):
        pytest.skip("groff is not installed here: apt-get install groff-base")
    page = "\n".join(
        [*roff.head("X", 1, "0"), ".SH A", *roff.item([roff.bold(text)], text), *roff.example(text), ""]
    )
    command = ["groff", "-ww", "-man", "-Kutf8", "-Tutf8", "-P-c", "-P-b", "-P-o", "-P-u"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    import unicodedata

    lines = [unicodedata.normalize("NFC", line.strip()) for line in done.stdout.split("\n")]
    meant = unicodedata.normalize("NFC", text)
    assert sum(meant in line.replace("\u2010", "-") for line in lines) >= 2, lines
