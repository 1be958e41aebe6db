"""What can be asked for is documented, as it is, and no page links what is not there."""

from __future__ import annotations

import ast
import re
from itertools import groupby
from pathlib import Path

import pytest

from tonotope.features import DESCRIPTORS, FAMILY_VERSIONS
from tonotope.features.estimates import ESTIMATES
from tonotope.features.moments import STATISTICS
from tonotope.features.tables import FAMILIES, family_columns, table_columns

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted(path.relative_to(REPOSITORY).as_posix() for path in DOCS.rglob("*.md"))


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of all tables' rows."""
    lines = (line for line in text.splitlines() if line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def part_of(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    level = heading.partition(" ")[0]
    _, _, after = text.partition(f"\n{heading}\n")
    return re.split(rf"\n#{{1,{len(level)}}} ", after)[0]


def code_in(text: str) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", text))


def index() -> dict[str, list[str]]:
    """Return the rows of the table of all descriptors, by name."""
    rows = rows_of(part_of(text_of("features.md"), "## All descriptors"))
    return {row[0].split("`")[1]: row for row in rows if row[0].startswith("`")}


def demanded(name: str) -> dict[str, float]:
    """Return one of the dictionaries of numbers that the comparison with librosa holds."""
    source = (REPOSITORY / "tests/features/test_against_librosa.py").read_text(encoding="utf-8")
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == name:
            return ast.literal_eval(statement.value)
    raise LookupError(name)


def numbers_in(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", cell)]


# The index.


def test_every_descriptor_is_in_the_index_in_order() -> None:
    assert list(index()) == list(DESCRIPTORS)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_the_index_says_what_a_descriptor_is(name: str) -> None:
    descriptor = DESCRIPTORS[name]
    first, family, shape, unit, _, _ = index()[name]
    assert family == descriptor.family
    assert first.endswith("°") == descriptor.on_request
    assert unit == (descriptor.unit or "–")
    if descriptor.n_columns:
        columns = f" {descriptor.n_columns}" if descriptor.n_columns > 1 else ""
        assert shape == f"(frames,{columns})"
    else:
        assert shape
        assert "frames" not in shape


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_a_descriptor_is_on_the_page_of_its_family(name: str) -> None:
    family = DESCRIPTORS[name].family
    # The page of the level family as a whole is about its one descriptor, the record `level`.
    assert name in code_in(text_of(f"features/{family}.md")) or name == family


@pytest.mark.parametrize(("name", "tolerance"), demanded("TOLERANCE").items())
def test_the_index_states_the_tolerance_that_is_tested(name: str, tolerance: float) -> None:
    agreement = index()[name][-1]
    assert agreement == "exact" if tolerance == 0 else numbers_in(agreement) == [tolerance]


@pytest.mark.parametrize(("name", "least"), demanded("CORRELATION").items())
def test_the_index_states_the_correlation_that_is_tested(name: str, least: float) -> None:
    agreement = index()[name][-1]
    assert agreement.startswith("r ≥ ")
    assert numbers_in(agreement)[0] == least


def test_every_family_has_a_page_and_its_version_is_named() -> None:
    text = text_of("features.md")
    for family in {descriptor.family for descriptor in DESCRIPTORS.values()}:
        assert f"(features/{family}.md)" in text
    versions = code_in(part_of(text, "## Versions"))
    assert versions >= {"tonotope.features.FAMILY_VERSIONS", *FAMILY_VERSIONS}


# Tables.


def test_every_statistic_is_explained_in_order() -> None:
    rows = rows_of(part_of(text_of("features/tables.md"), "## Statistics"))
    names = [row[0].strip("`") for row in rows if row[0].startswith("`")]
    assert tuple(names) == STATISTICS


def test_the_columns_of_fma518_stand_where_the_page_says() -> None:
    part = part_of(text_of("features/tables.md"), "## `fma518`")
    stated = {row[0].strip("`"): row[1] for row in rows_of(part) if row[0].endswith("_01`")}
    expected, start = {}, 1
    for _, group in groupby(table_columns("fma518"), key=lambda name: name.rsplit("_", 2)[0]):
        columns = list(group)
        expected[columns[0]] = f"{start}–{start + len(columns) - 1}"
        start += len(columns)
    assert stated == expected
    statistics = sorted(STATISTICS)
    order = [name for name in re.findall(r"`(\w+)`", part) if name in STATISTICS]
    assert order == statistics


@pytest.mark.parametrize("family", FAMILIES)
def test_every_column_of_a_family_is_documented(family: str) -> None:
    columns = family_columns(family)
    heading = f"### {family.capitalize()}, {len(columns)} columns"
    documented = code_in(part_of(text_of("features/tables.md"), heading))
    assert documented, heading
    for column in columns:
        stem = re.sub(rf"_({'|'.join(STATISTICS)})$", "", column)
        first = re.sub(r"_\d\d(?=_|$)", "_01", stem)
        assert {column, stem, first} & documented, column


def test_every_estimate_has_its_formula() -> None:
    heading = f"### Estimates, {len(ESTIMATES)} columns"
    rows = rows_of(part_of(text_of("features/tables.md"), heading))
    names = [row[0].strip("`") for row in rows if row[0].endswith("_estimate`")]
    assert tuple(names) == ESTIMATES
    assert f"{len(table_columns('tonotope'))} columns" in text_of("features/tables.md")


# Links.


def anchors_of(text: str) -> set[str]:
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *PAGES])
def test_what_a_page_links_is_there(page: str) -> None:
    path = REPOSITORY / page
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        linked = path.parent / target if target else path
        assert linked.exists(), link
        if anchor:
            assert anchor in anchors_of(linked.read_text(encoding="utf-8")), link


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (DOCS / "pictures").glob("*.png")}
    assert sizes
    assert max(sizes.values()) < 250_000, sizes
