"""A real browser, as people have one."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars")  # fmt: skip


def missing() -> str:
    """Say which program the browser tests lack on this machine, or nothing."""
    if not any(map(shutil.which, PROGRAMS)):
        return f"there is none of {', '.join(PROGRAMS)}"
    return "" if shutil.which("chromedriver") else "there is no chromedriver"


@contextmanager
def page(address: str, width: int = 1280, height: int = 800) -> Iterator[webdriver.Chrome]:
    """Open a page in a window of this size (pixels); below 600 wide it is a phone's."""
    options = Options()
    options.binary_location = next(filter(None, map(shutil.which, PROGRAMS)))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in QUIET:
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for _ in range(3):
            driver.get(address)
            time.sleep(1)
            driver.complaints = driver.get_log("browser")
            # a container that came or went meanwhile makes Chromium drop what it was loading
            if not any("ERR_NETWORK_CHANGED" in entry["message"] for entry in driver.complaints):
                break
        yield driver
    finally:
        driver.quit()


def wait_for(driver: webdriver.Chrome, *texts: str, seconds: float = 60) -> str:
    """Return the text of the page once it has all of `texts`. Raises AssertionError with what it has instead."""
    end = time.monotonic() + seconds
    while True:
        shown = driver.find_element(By.TAG_NAME, "body").text
        if all(text in shown for text in texts):
            return shown
        assert time.monotonic() < end, f"the page has not all of {texts}: {shown[:2000]}"
        time.sleep(0.3)


def errors(driver: webdriver.Chrome) -> list[str]:
    """Return what the browser's console has to complain about."""
    entries = driver.complaints + driver.get_log("browser")
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def fits(driver: webdriver.Chrome) -> bool:
    """Say whether the page is no wider than its window."""
    return driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
