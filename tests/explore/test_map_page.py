"""The map's page in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonotope.explore.map_files import write_map_file
from tonotope.explore.map_page import map_page
from tonotope.session.maps import LibraryMap

sync_api = pytest.importorskip("playwright.sync_api")

BROWSER = os.environ.get("TONOTOPE_BROWSER") or shutil.which("chromium") or shutil.which("chrome")
needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")
# A machine without a screen draws WebGL in software, if it is told to.
WITH_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
WITHOUT_WEBGL = ["--disable-3d-apis"]

Make = Callable[..., LibraryMap]


class Opened:
    """A map's page, what it complained of, and what it asked for."""

    def __init__(self, page, path: Path) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        page.goto(path.as_uri())
        self.settle()

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        self.page.evaluate(
            "() => new Promise(done => setTimeout(() => requestAnimationFrame(() =>"
            " requestAnimationFrame(done)), 50))"
        )

    def pixels(self) -> np.ndarray:
        """Return the map as it is seen, shape (height, width, 3)."""
        shot = self.page.locator("#map").screenshot()
        return np.asarray(Image.open(BytesIO(shot)).convert("RGB")).astype(int)

    def n_coloured(self) -> int:
        """Return how many pixels have a hue: neither page nor writing."""
        pixels = self.pixels()
        return int((np.ptp(pixels, axis=2) > 40).sum())

    def search(self, words: str) -> None:
        self.page.fill("#search", words)
        self.settle()


@pytest.fixture(scope="module")
def browsers() -> Iterator[Callable]:
    with sync_api.sync_playwright() as playwright:
        started = {}

        def browser(*arguments: str):
            if arguments not in started:
                started[arguments] = playwright.chromium.launch(
                    executable_path=BROWSER, args=["--no-sandbox", *arguments]
                )
            return started[arguments]

        yield browser
        for each in started.values():
            each.close()


@pytest.fixture
def show(browsers: Callable, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    contexts = []

    def show(drawn: LibraryMap, *, dark: bool = True, webgl: bool = True) -> Opened:
        path = tmp_path / "map.html"
        write_map_file(drawn, path)
        context = browsers(*(WITH_WEBGL if webgl else WITHOUT_WEBGL)).new_context(
            viewport={"width": 1000, "height": 700},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        return Opened(context.new_page(), path)

    yield show
    for context in contexts:
        context.close()


@needs_a_browser
@pytest.mark.parametrize(
    ("n_dims", "dark", "webgl"), [(2, True, True), (3, False, True), (2, False, False)]
)
def test_the_points_are_drawn_and_nothing_leaves_the_page(
    made_up: Make, show: Callable[..., Opened], n_dims: int, dark: bool, webgl: bool
) -> None:
    opened = show(made_up(n_dims=n_dims), dark=dark, webgl=webgl)
    assert opened.page.evaluate("painter.kind") == ("webgl2" if webgl else "2d")
    pixels = opened.pixels()
    background = np.median(pixels.reshape(-1, 3), axis=0)
    assert (background < 60).all() if dark else (background > 200).all()
    # Sixty discs of six pixels' radius; some lie over each other.
    assert 2000 < opened.n_coloured() < 12000
    opened.page.click("text=Tempo")
    opened.settle()
    assert opened.n_coloured() > 1500
    assert opened.complaints == []
    assert opened.requests == [opened.page.url]


@needs_a_browser
def test_a_search_finds_a_track_and_hovering_names_it(
    made_up: Make, show: Callable[..., Opened]
) -> None:
    opened = show(made_up())
    page = opened.page
    assert page.locator("#panel").is_hidden()
    before = opened.n_coloured()
    opened.search("track 42 ARTIST")  # without the diaeresis, as people type
    assert page.locator("#panel h3").inner_text().lower() == "1 of 60 tracks"
    assert opened.n_coloured() < before / 4  # the others are faint
    page.press("#search", "Enter")
    opened.settle()
    opened.settle()
    assert page.locator("#panel h2").inner_text() == "Träck 42"
    assert page.locator("#panel .tracks li").count() == 15
    box = page.locator("#overlay").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.settle()
    tip = page.locator("#tip").inner_text()
    assert tip.startswith("Träck 42\nArtist 2 · ")
    assert "% · " in tip
    assert "BPM" in tip
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    opened.settle()
    assert page.locator("#tip").is_hidden()
    page.keyboard.press("Escape")
    opened.settle()
    assert page.locator("#panel").is_hidden()
    assert opened.complaints == []


@needs_a_browser
def test_a_hostile_title_is_text(made_up: Make, show: Callable[..., Opened]) -> None:
    opened = show(made_up())
    drawn = made_up()
    opened.search("owned")
    opened.page.click("#panel .track")
    opened.settle()
    assert opened.page.locator("#panel h2").inner_text() == drawn.tracks[7].title
    assert opened.page.title() == "Map of 60 tracks"
    assert opened.page.locator("img").count() == 0
    assert "slow & <b>dark</b>" in opened.page.locator("#legend").inner_text()
    assert opened.complaints == []
    assert len(opened.requests) == 1


@needs_a_browser
def test_wheel_and_drag_move_the_map(made_up: Make, show: Callable[..., Opened]) -> None:
    opened = show(made_up())
    page = opened.page
    first = page.evaluate("view.project(0)")
    page.mouse.move(300, 400)
    page.mouse.down()
    page.mouse.move(380, 450, steps=4)
    page.mouse.up()
    moved = page.evaluate("view.project(0)")
    assert np.subtract(moved, first)[:2] == pytest.approx([80, 50], abs=0.5)
    page.mouse.wheel(0, -300)
    opened.settle()
    assert page.evaluate("view.zoom") > 1.3
    # What is under the pointer stays there.
    box = page.locator("#overlay").bounding_box()
    x, y = 380 - box["x"], 450 - box["y"]
    zoomed = page.evaluate("view.project(0)")
    factor = page.evaluate("view.zoom")
    assert zoomed[0] - x == pytest.approx(factor * (moved[0] - x), abs=1)
    assert zoomed[1] - y == pytest.approx(factor * (moved[1] - y), abs=1)
    page.click("#fit")
    opened.settle()
    assert page.evaluate("view.project(0)") == pytest.approx(first)
    assert opened.complaints == []


@needs_a_browser
def test_a_map_with_three_axes_turns(made_up: Make, show: Callable[..., Opened]) -> None:
    opened = show(made_up(n_dims=3))
    before = opened.page.evaluate("[view.yaw, ...view.centre]")
    opened.page.mouse.move(300, 400)
    opened.page.mouse.down()
    opened.page.mouse.move(400, 400, steps=4)
    opened.page.mouse.up()
    after = opened.page.evaluate("[view.yaw, ...view.centre]")
    assert after[0] - before[0] == pytest.approx(0.8, abs=0.01)
    assert after[1:] == before[1:]


@needs_a_browser
def test_the_legend_picks_out_what_is_of_one_kind(
    made_up: Make, show: Callable[..., Opened]
) -> None:
    opened = show(made_up(groups=False))
    drawn = made_up()
    chips = opened.page.locator("#legend .chip")
    assert chips.count() == 5  # four genres, and a track without one
    counts = [int(text.split()[-1]) for text in chips.all_inner_texts()]
    assert sum(counts) == len(drawn.tracks)
    before = opened.n_coloured()
    chips.first.click()
    opened.settle()
    assert opened.n_coloured() < before * (counts[0] + 6) / 60
    chips.first.click()
    opened.settle()
    assert opened.n_coloured() == pytest.approx(before, rel=0.1)
    assert opened.page.locator("#kinds button").all_inner_texts() == ["Genre", "Tempo"]


@needs_a_browser
@pytest.mark.parametrize("n", [1, 2])
def test_next_to_no_tracks_are_shown(made_up: Make, show: Callable[..., Opened], n: int) -> None:
    opened = show(made_up(n))
    opened.search("track")
    assert opened.page.locator("#panel .track").count() == n
    opened.page.click("#panel .track >> nth=0")
    opened.settle()
    assert opened.complaints == []


def test_no_markup_comes_from_data(made_up: Make) -> None:
    page = map_page(made_up())
    assert page.count("<script") == page.count("</script") == 2
    assert "<img" not in page
    assert "http://" not in page.replace("http-equiv", "")
    assert "https://" not in page
