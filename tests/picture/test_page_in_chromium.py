"""The page as a reader has it: opened, folded, searched, in light and dark, with nothing on the console.

Skipped where there is no Chromium; this installs nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import codecspec as cs
from codecspec.picture import write_picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "wacnn.html"
    write_picture(cs.lower(cs.load_spec("wacnn")), path)
    return path


@pytest.fixture
def page(browser: Browser, file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened; at the end it has said nothing and asked for nothing."""
    said: list[str] = []
    scheme = getattr(request, "param", "light")
    page = browser.new_page(viewport={"width": 1400, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: said.append(asked.url) if not asked.url.startswith(("file:", "data:")) else None)
    page.set_default_timeout(10_000)
    page.goto(file.as_uri())
    yield page
    page.close()
    assert said == []


def box(path: str) -> str:
    return f'g[data-id="{path}"]'


def colour(page: Page, selector: str, what: str) -> str:
    return str(page.eval_on_selector(selector, f"element => getComputedStyle(element)['{what}']"))


@pytest.mark.parametrize(
    ("page", "back", "ink"),
    [("light", "rgb(255, 255, 255)", "rgb(28, 33, 40)"), ("dark", "rgb(13, 17, 23)", "rgb(230, 237, 243)")],
    indirect=["page"],
)
def test_it_opens_in_light_and_dark(page: Page, back: str, ink: str) -> None:
    assert page.title() == "wacnn"
    assert colour(page, "svg rect.paper", "fill") == colour(page, "body", "backgroundColor") == back
    assert colour(page, "svg text.name", "fill") == ink
    assert page.locator(box("latent_codec.y:9")).is_visible()
    assert "name: wacnn" in page.locator("#spec").inner_text()


def test_parts_fold_and_unfold(page: Page) -> None:
    assert page.locator(box("g_a.0")).count() == 1
    page.click(f"{box('g_a')} > .head")
    assert page.locator(box("g_a.0")).count() == 0
    assert page.locator(box("g_a")).get_attribute("aria-expanded") == "false"
    page.click(f"{box('g_a')} > .head")
    assert page.locator(box("g_a.0")).count() == 1
    head = "latent_codec.y.channel_context.y3.mean_cc"
    assert page.locator(box(head)).count() == 0
    page.click("#unfold")
    assert page.locator(box(head)).count() == 1
    page.click("#fold")
    assert page.locator("g.box.open").count() == 0


def test_parts_fold_by_key(page: Page) -> None:
    page.focus(box("g_s"))
    page.keyboard.press("Enter")
    assert page.locator(box("g_s.0")).count() == 0
    page.keyboard.press("Enter")
    assert page.locator(box("g_s.0")).count() == 1


def test_arrows_go_through_the_boxes(page: Page) -> None:
    page.focus(box("g_a"))
    for key, path in (("ArrowDown", "g_a.0"), ("ArrowDown", "g_a.1"), ("ArrowUp", "g_a.0")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.id") == path
        assert path in page.locator("#details").inner_text()


def test_boxes_have_names_for_who_cannot_see_them(page: Page) -> None:
    said = page.locator("#picture").aria_snapshot()
    assert 'button "g_a, analysis, 3 → 320 @ 1/16, ' in said
    assert 'group "conv, 5x5, stride 2, 3 → 192 @ 1/2, 14.6 k params · 3.60 kMAC/px"' in said
    assert 'group "y_hat, decoded latent, 320 @ 1/16"' in said


def test_on_a_phone_the_spec_stands_below(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.querySelector('#picture').clientWidth") == 390
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_what_the_search_suggests_is_found(page: Page) -> None:
    suggested = str(page.locator("#search").get_attribute("placeholder")).partition(": ")[2].split(", ")
    assert suggested
    for words in suggested:
        page.fill("#search", words)
        assert page.locator("#found").inner_text().startswith("1 of "), words


def test_no_edge_crosses_a_box(page: Page) -> None:
    page.click("#unfold")
    crossed = page.evaluate(
        """() => [...document.querySelectorAll('path.edge')].flatMap((edge) => {
            const [length, place] = [edge.getTotalLength(), edge.getScreenCTM()];
            const at = (i) => edge.getPointAtLength(length * i / 100).matrixTransform(place);
            const points = [...Array(101).keys()].map(at);
            const others = [...edge.parentNode.children].filter((group) => group.matches('g.box')
                && ![edge.dataset.from, edge.dataset.to].includes(group.dataset.id));
            return others.filter((group) => {
                const { left, right, top, bottom } = group.querySelector(':scope > rect').getBoundingClientRect();
                return points.some(({ x, y }) => left + 2 < x && x < right - 2 && top + 2 < y && y < bottom - 2);
            }).map((group) => `${edge.dataset.from} > ${edge.dataset.to} over ${group.dataset.id}`);
        })"""
    )
    assert crossed == []


def test_search_unfolds_what_it_finds_and_goes_through_it(page: Page) -> None:
    page.fill("#search", "mean_cc")
    assert page.locator("#found").inner_text() == "1 of 10"
    assert page.locator("g.hit").count() == 1
    first = page.locator("g.current")
    assert first.get_attribute("data-id") == "latent_codec.y.channel_context.y0.mean_cc"
    assert first.is_visible()
    page.press("#search", "Enter")
    assert page.locator("#found").inner_text() == "2 of 10"
    assert page.locator("g.current").get_attribute("data-id") == "latent_codec.y.channel_context.y1.mean_cc"
    assert "channel_context.y1.mean_cc" in page.locator("#details").inner_text()
    page.fill("#search", "no such thing")
    assert page.locator("#found").inner_text() == "0 found"
    assert page.locator("g.hit").count() == 0
    page.fill("#search", "")
    assert page.locator("#found").inner_text() == ""


def test_what_the_search_finds_can_be_read(page: Page) -> None:
    page.click("#unfold")
    page.click("#fit")
    page.fill("#search", "slice 3")
    assert page.evaluate("state.zoom") >= 0.85
    assert page.locator("g.current").is_visible()


def test_a_box_says_what_it_is_and_its_edges_light_up(page: Page) -> None:
    page.click(f"{box('latent_codec.y:4')} > rect", position={"x": 30, "y": 30})
    details = page.locator("#details").inner_text()
    assert "latent_codec.y:4" in details
    parameters = sum(
        node.parameters
        for node in cs.lower(cs.load_spec("wacnn")).walk()
        if node.path in ("latent_codec.y.channel_context.y4", "latent_codec.y.latent_codec.y4")
    )
    assert f"{parameters:,}" in details
    assert page.locator("path.edge.lit").count() == 4 + 5


def test_zoom_fit_and_the_spec(page: Page) -> None:
    width = "document.querySelector('#picture svg').getBoundingClientRect().width"
    before = page.evaluate(width)
    page.click("#in")
    assert page.evaluate(width) == pytest.approx(1.25 * before, rel=0.01)
    page.click("#fit")
    assert page.evaluate(width) <= page.evaluate("document.querySelector('#picture').clientWidth") + 1
    page.click("#toggle")
    assert not page.locator("#spec").is_visible()


def test_no_text_leaves_its_box(page: Page) -> None:
    page.click("#unfold")
    sticking_out = page.evaluate(
        """() => [...document.querySelectorAll('g.box')].flatMap((group) => {
            const right = group.querySelector(':scope > rect').getBoundingClientRect().right;
            return [...group.querySelectorAll(':scope > text')]
                .filter((text) => text.getBoundingClientRect().right > right + 0.5)
                .map((text) => text.textContent);
        })"""
    )
    assert sticking_out == []
