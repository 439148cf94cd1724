"""The documents say what is there: links, commands, decisions, rooms, names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

import edged
from edged.cli import cli

ROOT = Path(__file__).resolve().parents[1]
FOLDERS_OF_DOCUMENTS = ("docs", "systemd", "hardware-tests", "config", "edged")
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for path in (
        *ROOT.glob("*.md"),
        *(one for room in FOLDERS_OF_DOCUMENTS for one in (ROOT / room).rglob("*.md")),
    )
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings make, as code hosts spell them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).strip().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    for link in LINK.findall(FENCE.sub("", (ROOT / document).read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document} links to {link}, which is not there"
        assert target.resolve().is_relative_to(ROOT), f"{document} links to {link}, outside of the project"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), f"{document} links to {link}: no such heading"


def commands(document: Path) -> list[list[str]]:
    """The commands a document tells to type: lines of ``sh`` blocks, and code in a sentence that looks so."""
    text = (ROOT / document).read_text()
    blocks = [block for kind, block in FENCE.findall(text) if kind in ("sh", "console", "bash")]
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    lines += [one for one in INLINE.findall(FENCE.sub("", text)) if re.match(r"(\./|make |edged )", one)]
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def verbs() -> set[str]:
    """What ``edged`` understands, asked of itself."""
    done = subprocess.run(
        [sys.executable, "-m", "edged", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^\W*([a-z][a-z0-9-]+)\b", done.stdout, re.MULTILINE))


def is_known(words: list[str], verbs_of_edged: set[str]) -> bool:
    """Whether a command can be typed in a checkout as it stands."""
    match words:
        case ["sudo", *rest]:
            known = is_known(rest, verbs_of_edged)
        case [setting, *rest] if re.match(r"[A-Z_]+=", setting):
            known = is_known(rest, verbs_of_edged)
        case [assignment, *rest] if rest and re.match(r"[A-Z_]+=", assignment):
            known = is_known(rest, verbs_of_edged)
        case ["git" | "cd" | "apt-get" | "systemctl" | "journalctl" | "sudoedit", *_]:
            known = True
        case ["./install.sh", option, *_]:
            known = f"{option})" in (ROOT / "install.sh").read_text()
        case ["make", *targets]:
            made = re.findall(r"^([a-z0-9 -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            known = set(targets) <= {target for line in made for target in line.split()}
        case ["edged" | ".venv/bin/edged", verb, *_]:
            known = verb.strip(".,") in verbs_of_edged or verb.startswith("-")
        case [program, *_]:
            known = "/" in program and (ROOT / program).exists()
    return known


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if "adr" not in one.parts], ids=str)
def test_commands_exist(document: Path) -> None:
    typed = commands(document)
    known = verbs() if any("edged" in words[0] for words in typed) else set()
    assert [" ".join(words) for words in typed if not is_known(words, known)] == []


def test_the_readme_tells_how_to_run_and_to_test_it() -> None:
    typed = [" ".join(words) for words in commands(Path("README.md"))]
    assert {"./install.sh --demo", "./install.sh --test"} <= set(typed)


def test_decisions_are_numbered_without_gap_or_double() -> None:
    names = sorted(path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        title = (ROOT / "docs/adr" / name).read_text().splitlines()[0]
        assert title.startswith(f"# {name[:4]}"), f"{name} begins with {title!r}"


def test_the_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == edged.__version__
    assert re.search(
        rf"^## {re.escape(edged.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


def rooms() -> set[str]:
    """The package's modules and folders on its first floor."""
    found = {path.name for path in (ROOT / "edged").glob("*.py") if not path.name.startswith("__")}
    return found | {f"{path.parent.name}/" for path in (ROOT / "edged").glob("*/__init__.py")}


def test_the_architecture_names_every_room_and_no_other() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    table = set(re.findall(r"^\| `([a-z_]+(?:\.py|/))`", page, re.MULTILINE))
    assert table == rooms()


def test_the_architecture_names_what_is_there() -> None:
    """``edged/path.py`` and ``module.name`` in backticks: the file is there, and it defines the name."""
    page = FENCE.sub("", (ROOT / "docs/architecture.md").read_text())
    for path in re.findall(r"`((?:edged|tests|docs|systemd|hardware-tests|benchmarks)/[\w./-]+)`", page):
        assert (ROOT / path).exists(), path
    named = re.findall(r"`((?:[a-z_0-9]+/)*[a-z_0-9]+\.py):([A-Za-z_.]+)`", page)
    assert named, "following one frame names functions as file.py:name"
    for path, name in named:
        text = (ROOT / "edged" / path).read_text()
        for part in name.split("."):
            assert re.search(rf"^\s*(?:def|class) {part}\b|^{part}\b.*=", text, re.MULTILINE), (
                f"{path}:{name}"
            )


def test_every_decision_is_reachable() -> None:
    """A decision that no page and no code names is one that nobody finds."""
    listed = (ROOT / "docs/adr/README.md").read_text()
    for path in (ROOT / "docs/adr").glob("[0-9]*.md"):
        assert path.name in listed, f"docs/adr/README.md does not list {path.name}"


def sentences() -> set[tuple[str, str]]:
    """(file, text) of every text of the code that is no docstring."""
    found = set()
    for path in (ROOT / "edged").rglob("*.py"):
        tree = ast.parse(path.read_text())
        docstrings = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for one in ast.walk(tree):
            if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in docstrings:
                found.add((path.name, one.value))
    return found


def test_what_a_message_tells_to_type_is_there() -> None:
    """The next step that an error names must be one that can be taken."""
    of = ("models", "keys", "store")
    groups = {name: set(cli.get_command(None, name).list_commands(None)) for name in of}
    checks = {path.stem for path in (ROOT / "edged/doctor/checks").glob("[a-z]*.py")}
    for name, text in sentences():
        for verb in re.findall(r"`(?:sudo )?edged ([a-z]+)", text):
            assert verb in cli.list_commands(None), f"{name}: {text}"
        for group, verb in re.findall(r"\bedged (models|keys|store) ([a-z]+)\b", text):
            assert verb in groups[group], f"{name}: {text}"
        assert set(re.findall(r"\bedged doctor ([a-z]+)(?:`|\Z)", text)) <= checks, f"{name}: {text}"
