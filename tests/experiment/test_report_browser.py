"""The page in a real headless browser: phone and desktop, light and dark; looked at by screenshots, too.

Screenshots go to the folder W2S_SCREENSHOTS names, else to a temporary one.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.experiment.made_runs import make_run
from w2s_factory import report

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
]
WIDTHS = {"phone": 390, "desktop": 1280}
FIGURES = 10


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    make_run(folder, task="math", questions=120, asked=80)
    return report(folder).page


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory() as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        yield chrome
        chrome.quit()


@pytest.fixture(params=[(size, mode) for size in WIDTHS for mode in ("light", "dark")], ids="-".join)
def opened(request, browser, page):
    """The page open in one width and mode; what it said on the console."""
    size, mode = request.param
    look = {"width": WIDTHS[size], "height": 900, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", look)
    media = {"features": [{"name": "prefers-color-scheme", "value": mode}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get_log("browser")
    browser.get(page.as_uri())
    return size, mode


def asked(browser, expression):
    return browser.execute_script(f"return {expression}")


def screenshot(browser, size, mode):
    height = asked(browser, "document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTHS[size], "height": min(height, 15_000), "scale": 1}
    options = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    return base64.b64decode(browser.execute_cdp_cmd("Page.captureScreenshot", options)["data"])


def test_the_page_stands(browser, opened, tmp_path):
    size, mode = opened
    folder = Path(os.environ.get("W2S_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    shot = screenshot(browser, size, mode)
    (folder / f"report-{size}-{mode}.png").write_bytes(shot)
    assert len(shot) > 50_000
    assert browser.get_log("browser") == []
    browser.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert asked(browser, overflow) == 0, "the page is wider than the screen"
    boxes = asked(
        browser,
        "[...document.querySelectorAll('figure svg')].map(one => one.getBoundingClientRect().toJSON())",
    )
    assert len(boxes) == FIGURES
    for box in boxes:
        assert box["width"] > 250
        assert box["height"] > 100
        assert box["right"] <= WIDTHS[size]


def test_figures_follow_the_mode(browser, opened):
    _, mode = opened
    first = "document.querySelector('#figure-accuracy svg text')"
    ink = asked(browser, f"getComputedStyle({first}).fill")
    paper = asked(browser, "getComputedStyle(document.body).backgroundColor")
    light = [sum(map(int, colour[4:-1].split(","))) > 380 for colour in (ink, paper)]
    assert light == ([False, True] if mode == "light" else [True, False])


def test_text_in_figures_can_be_read(browser, opened):
    """The least height of a line of text, as shown."""
    heights = asked(
        browser,
        "[...document.querySelectorAll('figure svg text')].map(one => {"
        "  const scale = one.getScreenCTM();"
        "  return parseFloat(getComputedStyle(one).fontSize) * Math.hypot(scale.a, scale.b) })",
    )
    assert len(heights) > 50
    assert min(heights) > 8.5


def test_svg_files_show_alone(browser, page):
    for path in sorted(page.with_suffix("").glob("*.svg")):
        browser.get_log("browser")
        browser.get(path.as_uri())
        assert browser.get_log("browser") == []
        assert asked(browser, "document.documentElement.nodeName") == "svg", path.name
        assert asked(browser, "document.querySelectorAll('text').length") > 2, path.name
