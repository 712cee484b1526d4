"""A headless browser for tests of pages: its start, screens of two sizes in two modes, keys, and axe-core."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

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
SCREENS = [(size, mode) for size in WIDTHS for mode in ("light", "dark")]
PATIENCE = 30
"""Seconds that a page may take on a busy machine; how long it should take is measured where it matters."""


@contextmanager
def started() -> Iterator[Screen]:
    """A browser; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            yield Screen(chrome)
        finally:
            chrome.quit()


@dataclass
class Screen:
    """A browser's window."""

    browser: Any
    size: str = "desktop"
    mode: str = "light"

    @property
    def width(self) -> int:
        return WIDTHS[self.size]

    def show(self, size: str, mode: str) -> None:
        """Change the size and the mode."""
        self.size, self.mode = size, mode
        look = {"width": self.width, "height": 900, "deviceScaleFactor": 1, "mobile": size == "phone"}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", look)
        media = {"features": [{"name": "prefers-color-scheme", "value": mode}]}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def open(self, page: Path, fragment: str = "") -> None:
        """Open a file in a new document, with an empty console."""
        self.browser.get("about:blank")
        self.console()
        self.browser.get(page.as_uri() + fragment)

    def console(self) -> list[str]:
        """Return the messages that the page wrote to the console since the last call."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def asked(self, expression: str, *values: object) -> Any:
        """The value of an expression in the page."""
        return self.browser.execute_script(f"return {expression}", *values)

    def run(self, statements: str, *values: object) -> Any:
        return self.browser.execute_script(statements, *values)

    def wait(self, expression: str, *values: object) -> Any:
        """Wait until an expression is true, and return its value."""
        until = time.monotonic() + PATIENCE
        while not (value := self.asked(expression, *values)):
            assert time.monotonic() < until, f"{expression} is still {value!r}"
            time.sleep(0.05)
        return value

    def keys(self, *keys: str) -> None:
        """Press keys: characters, or names such as `TAB`."""
        from selenium.webdriver import ActionChains, Keys

        actions = ActionChains(self.browser)
        for key in keys:
            actions.send_keys(getattr(Keys, key, key))
        actions.perform()

    def tabbed(self, selector: str) -> tuple[int, int, list[str]]:
        """Press Tab as often as elements fit a selector and are visible.

        The number of these elements, of the different ones that had the focus, and those of which nothing
        showed it.
        """
        fitting = f"[...document.querySelectorAll({selector!r})].filter(one => one.checkVisibility())"
        wanted = self.asked(f"{fitting}.length")
        self.run(
            "window.reached = new Set(); window.unseen = [];"
            "document.addEventListener('focusin', ({target}) => { reached.add(target);"
            " if (['none', 'hidden'].includes(getComputedStyle(target).outlineStyle)) unseen.push(target.outerHTML) })"
        )
        self.keys(*["TAB"] * wanted)
        return wanted, self.asked("reached.size"), self.asked("unseen")

    def shift_tab(self) -> None:
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.browser).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform()

    def screenshot(self, name: str, otherwise: Path) -> bytes:
        """Write a screenshot to the folder that W2S_SCREENSHOTS names, or another."""
        height = min(self.asked("document.documentElement.scrollHeight"), 15_000)
        clip = {"x": 0, "y": 0, "width": self.width, "height": height, "scale": 1}
        options = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        shot = base64.b64decode(self.browser.execute_cdp_cmd("Page.captureScreenshot", options)["data"])
        folder = Path(os.environ.get("W2S_SCREENSHOTS", otherwise))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}-{self.size}-{self.mode}.png").write_bytes(shot)
        return shot

    def faults(self) -> list[str]:
        """Return the faults of the page that axe-core calls serious or critical."""
        base = pytest.importorskip(
            "axe_core_python.base", reason="needs axe-core: pip install axe-core-python"
        )
        self.run(base.AXE_SCRIPT)
        self.browser.set_script_timeout(120)
        found = self.browser.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(done, done)"
        )
        assert found["testEngine"]["name"] == "axe-core"
        assert len(found["passes"]) > 10
        return [
            f"{fault['id']} ({fault['impact']}): {fault['help']}: {fault['nodes'][0]['html'][:200]} "
            f"{fault['nodes'][0]['failureSummary']}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
        ]
