"""A real browser, as people have one."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.wait import WebDriverWait

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless=new --no-sandbox --disable-gpu --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()


def missing() -> str:
    """Say which program the browser tests lack on this machine, or nothing."""
    if not any(map(shutil.which, PROGRAMS)):
        return f"there is none of {', '.join(PROGRAMS)}"
    return "" if shutil.which("chromedriver") else "there is no chromedriver"


@contextmanager
def page(
    address: str, *texts: str, width: int = 1280, height: int = 800, scheme: str = "light"
) -> Iterator[webdriver.Chrome]:
    """Open a page that shows `texts`, in a window of this size, for who prefers a colour scheme.

    Raises AssertionError with what the page has instead of the texts.
    """
    options = Options()
    options.binary_location = next(filter(None, map(shutil.which, PROGRAMS)))
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.accept_insecure_certs = True  # of the proxy's own authority, which test_engine_production.py checks
    for argument in QUIET:
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        resize(driver, width, height)
        preference = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", preference)
        load(driver, address, texts)
        yield driver
    finally:
        driver.quit()


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    """Give the window a size in pixels. Below 600 wide, it is a phone's."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def load(driver: webdriver.Chrome, address: str, texts: tuple[str, ...]) -> None:
    """Load a page until it has all of `texts`; anew if a container that came or went made Chromium drop some of it."""
    for _ in range(10):
        driver.complaints = []
        driver.get(address)
        end = time.monotonic() + 60
        while time.monotonic() < end and not _dropped(driver) and not all(each in text(driver) for each in texts):
            time.sleep(0.3)
        time.sleep(1)  # for what it loads late
        if not _dropped(driver):
            break
    wait_for(driver, *texts, seconds=0)


def _dropped(driver: webdriver.Chrome) -> bool:
    """Say whether Chromium gave up requests because the machine has another network than before."""
    driver.complaints += driver.get_log("browser")
    said = [text(driver), *(entry["message"] for entry in driver.complaints)]  # in place of a page, or of what it asks
    return any("ERR_NETWORK_CHANGED" in each for each in said)


def text(driver: webdriver.Chrome) -> str:
    """Return the text that a page shows; none while it has no body yet."""
    return driver.execute_script("return document.body ? document.body.innerText : ''")


def wait_for(driver: webdriver.Chrome, *texts: str, seconds: float = 60) -> str:
    """Return the text of the page once it has all of `texts`. Raises AssertionError with what it has instead."""
    end = time.monotonic() + seconds
    while True:
        shown = text(driver)
        if all(each in shown for each in texts):
            return shown
        assert time.monotonic() < end, f"the page has not all of {texts}: {shown[:2000]}"
        time.sleep(0.3)


def errors(driver: webdriver.Chrome) -> list[str]:
    """Return what the browser's console has to complain about."""
    entries = driver.complaints + driver.get_log("browser")
    return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]


def figures(driver: webdriver.Chrome) -> int:
    """Scroll to the first figure of a notebook, and return how many pixels of it are seen, once there are some."""
    image = WebDriverWait(driver, 60).until(lambda page: page.find_element(By.CSS_SELECTOR, ".jp-RenderedSVG img"))
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", image)
    return image.size["width"] * image.size["height"] if image.is_displayed() else 0


def fits(driver: webdriver.Chrome) -> bool:
    """Say whether the page is no wider than its window."""
    return driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")


def look(address: str, *texts: str) -> None:
    """See a page that shows `texts` on a laptop and on a phone: it fits, and the console has nothing to say."""
    with page(address, *texts) as driver:
        seen(driver)
        resize(driver, 390, 844)
        load(driver, address, texts)
        seen(driver)


def seen(driver: webdriver.Chrome) -> None:
    """Fail unless the page fits, and the console has nothing to say."""
    assert fits(driver)
    said = errors(driver)
    assert not said, said


def click(driver: webdriver.Chrome, selector: str) -> None:
    """Click what a CSS selector finds first, as soon as it can be clicked."""
    WebDriverWait(driver, 60).until(element_to_be_clickable((By.CSS_SELECTOR, selector))).click()


def log_in(driver: webdriver.Chrome, token: str) -> None:
    """Type the token into JupyterLab's login page and wait for what it hides."""
    driver.find_element(By.ID, "password_input").send_keys(token)
    click(driver, "#login_submit")
    WebDriverWait(driver, 60).until(lambda page: "/login" not in page.current_url)
    load(driver, driver.current_url, ("File", "Kernel", "Help"))


def choose(driver: webdriver.Chrome, menu: str, command: str) -> None:
    """Choose a command of one of JupyterLab's menus."""
    driver.find_element(By.XPATH, f"//div[@id='jp-MainMenu']//div[text()='{menu}']").click()
    click(driver, f".lm-Menu-item[data-command='{command}']")


def run_notebook(driver: webdriver.Chrome, code_cells: int) -> None:
    """Run all cells of the notebook that JupyterLab shows, by its menu, wait for the last one, and save.

    Cells that are far from the window are not in the page, so the last one's number tells that all are done.
    """
    for _ in range(3):  # JupyterLab can miss the command while the kernel is only just there
        wait_for(driver, "| Idle")
        choose(driver, "Run", "runmenu:run-all")
        time.sleep(2)
        if re.search(r"\[(\*|\d+)\]:", text(driver)):
            break
    wait_for(driver, f"[{code_cells}]:", "| Idle")
    choose(driver, "File", "docmanager:save")


def brightness(driver: webdriver.Chrome, colour: str) -> float:
    """Return how bright a colour of the page's body is, by the name of its CSS property: 0 is black, 1 is white."""
    shown = driver.find_element(By.TAG_NAME, "body").value_of_css_property(colour)
    return sum(map(int, re.findall(r"\d+", shown)[:3])) / (3 * 255)
