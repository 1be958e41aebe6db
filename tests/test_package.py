"""The package as a whole: what it exports, how its rooms lie, what is documented."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App

import tonotope
from tonotope.cli.app import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tonotope"

# From top to bottom: a room imports only from rooms above it.
ROOMS = (
    "errors", "files", "audio", "features", "models", "analysis", "discovery", "library", "session",
    "explore", "extraction", "demo", "training", "cli",
)  # fmt: skip


def test_exported_names() -> None:
    assert sorted(tonotope.__all__) == [
        "Library",
        "TonotopeError",
        "TrackAnalysis",
        "__version__",
        "analyze",
    ]
    assert [name for name in dir(tonotope) if not name.startswith("__")] == sorted(
        name for name in tonotope.__all__ if not name.startswith("__")
    )
    for name in tonotope.__all__:
        assert getattr(tonotope, name)
        assert getattr(tonotope, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        _ = tonotope.analyse


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, tonotope, tonotope.cli\n"
        "heavy = {'av', 'numpy', 'scipy', 'onnxruntime', 'soxr', 'torch', 'pebble', 'sqlite3',"
        " 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout.strip() == "[]", loaded.stderr


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_rooms_import_only_from_rooms_above(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room in ("__init__", "__main__"):
        return
    assert room in ROOMS
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] not in ("librosa", "mutagen", "soundfile")
            assert room == "training" or name.split(".")[0] != "torch"
            if name.split(".")[0] == "tonotope":
                assert ROOMS.index(room_of(name)) <= ROOMS.index(room), f"{room} imports {name}"


def test_discovery_knows_neither_files_nor_the_catalogue() -> None:
    for path in (SOURCE / "discovery").rglob("*.py"):
        assert not re.search(r"tonotope\.(audio|library|analysis)|import os|pathlib|sqlite3",
                             path.read_text("utf-8"))  # fmt: skip


def imported_rooms(room: str) -> set[str]:
    """Return which rooms the modules of a room import."""
    modules = re.compile(r"^\s*(?:from|import) tonotope\.(\w+)", re.M)
    return {
        name
        for path in (SOURCE / room).rglob("*.py")
        for name in modules.findall(path.read_text("utf-8"))
    }


def test_the_library_knows_nothing_of_similarity() -> None:
    assert "discovery" not in imported_rooms("library")


def test_the_demo_needs_nothing_but_the_errors() -> None:
    assert imported_rooms("demo") <= {"demo", "errors"}


def commands() -> dict[str, list[str]]:
    """Return the options of each command; those of its own commands, where it has some."""
    return {name: options_of(app[name]) for name in names_in(app)}


def names_in(group: App) -> list[str]:
    return [name for name in group if not name.startswith("-")]


def options_of(command: App) -> list[str]:
    if command.default_command is None:
        options = [option for name in names_in(command) for option in options_of(command[name])]
        return sorted(set(options))
    return [
        option
        for argument in command.assemble_argument_collection()
        for option in argument.names
        if option.startswith("--")
    ]


def test_every_command_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    sections = dict(re.findall(r"^## `tonotope ([\w-]+).*?`\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    assert set(sections) == set(commands())
    for name, options in commands().items():
        assert options or name == "demo-music"
        for option in options:
            assert f"`{option}" in sections[name], f"{name} {option} is not in docs/commands.md"
        for part in names_in(app[name]):
            assert f"`tonotope {name} {part}" in sections[name]


def test_what_holds_for_all_commands_is_documented() -> None:
    introduction = (ROOT / "docs" / "commands.md").read_text("utf-8").partition("\n## ")[0]
    for word in ("--help", "--debug", "--json", "--library"):
        assert f"`{word}`" in introduction
    for status in ("0", "1", "2", "130", "143", "129"):
        assert re.search(rf"\b{status}\b", introduction)


def test_no_documented_option_is_missing() -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    sections = dict(re.findall(r"^## `tonotope ([\w-]+).*?`\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    for name, text in sections.items():
        documented = set(re.findall(r"^- `(--[\w-]+)", text, re.M))
        assert documented <= {*commands()[name]}, name


def test_the_changelog_has_this_version() -> None:
    assert f"## [{tonotope.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_no_module_is_longer_than_a_subject() -> None:
    lengths = {p: len(p.read_text("utf-8").splitlines()) for p in SOURCE.rglob("*.py")}
    assert max(lengths.values()) <= 450, max(lengths, key=lambda p: lengths[p])
