"""A browser without a screen, driven as a person would."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

_PROGRAMS = ("chromium", "chromedriver")
_SECONDS = 20.0
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-proxy-server")


def lacks_browser() -> str:
    """Why no browser can be driven here; empty when one can."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)} (apt install chromium-driver)" if missing else ""


class Browser:
    """A browser at one server.

    Args:
        driver: drives it.
        url: the server's.
    """

    def __init__(self, driver: WebDriver, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, path: str) -> None:
        """Go to a page."""
        self.driver.get(self.url + path)

    def one(self, selector: str) -> WebElement:
        """The first element that a selector of CSS finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        """All elements that a selector finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def run(self, script: str, *values: object) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *values)

    def text(self, selector: str = "main") -> str:
        """What is written in an element; empty when it is not there."""
        return str(
            self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        )

    def until(self, what: Callable[[], object], *, seconds: float = _SECONDS) -> Any:
        """Wait for something that is true; gives it."""
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, f"it does not come; the page says:\n{self.text()}"
            time.sleep(0.05)
        return found

    def resize(self, width: int, *, dark: bool = False) -> None:
        """Look through a window of a width, 900 high."""
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self._command("Emulation.setDeviceMetricsOverride", metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._command("Emulation.setEmulatedMedia", {"features": [scheme]})

    def complaints(self) -> list[str]:
        """What the console has said since it was last asked: errors, violations of the policy."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [entry["message"] for entry in entries if entry["level"] in {"SEVERE", "WARNING"}]

    def _command(self, name: str, values: Mapping[str, object]) -> None:
        self.driver.execute_cdp_cmd(name, dict(values))


@contextmanager
def browser(url: str, profile: Path) -> Iterator[Browser]:
    """A browser with a fresh profile, until the block ends."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in (*_OPTIONS, f"--user-data-dir={profile}", "--window-size=1280,900"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield Browser(driver, url)
    finally:
        driver.quit()
