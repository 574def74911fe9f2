"""A person with a browser: signing in, making a token, using it, signing out."""

import base64
import shutil
import tempfile
import unittest
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.client import fetch
from tests.support.people import PASSWORD, Records
from tests.support.server import Server

DRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--window-size=1200,900")  # fmt: skip


@unittest.skipUnless(DRIVER and CHROMIUM, "Chromium and its driver are not installed (Debian: chromium, chromium-driver)")
class BrowserTests(unittest.TestCase):
    """In Chromium, with its own cookies, focus and content policy."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(holder.cleanup)
        folder = Path(holder.name)
        mirrors = {"closed": {"url": "http://127.0.0.1:9"}}
        self.server = Server(folder / "server", {"mirrors": mirrors}).start()
        self.addCleanup(self.server.stop)
        records = Records(self.server.data)
        self.addCleanup(records.close)
        records.user("ann", roles=frozenset({"ROLE_FULL_CUSTOMER"}))
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        for argument in (*QUIET, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(argument)
        self.browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
        self.addCleanup(self.browser.quit)

    def click(self, selector: str, arrives: str) -> None:
        """Click, and wait until a page with this title is there."""
        self.browser.execute_script("window.left = false")
        self.browser.find_element(By.CSS_SELECTOR, selector).click()
        titles = {f"{arrives} · Packeton", arrives}
        wait = WebDriverWait(self.browser, 30, ignored_exceptions=(WebDriverException,))  # raised between two pages
        wait.until(lambda browser: browser.execute_script("return window.left === undefined") and browser.title in titles)

    def type(self, name: str, text: str) -> None:
        self.browser.find_element(By.ID, name).send_keys(text)

    def test_token(self) -> None:
        """From the login to a token that Composer can use, and out again."""
        browser = self.browser
        browser.get(f"{self.server.url}/profile")
        self.assertEqual("Sign in · Packeton", browser.title)
        self.assertEqual("_username", browser.switch_to.active_element.get_attribute("id"))
        self.type("_username", "ann")
        self.type("_password", "wrong")
        self.click("main button", "Sign in")
        self.assertIn("wrong", browser.find_element(By.CSS_SELECTOR, "[role=alert]").text)
        self.type("_password", PASSWORD)
        self.click("main button", "ann")
        self.click("a.button", "New token")
        self.type("name", "my machine")
        self.click("form.stack button", "Tokens")
        secret = browser.find_element(By.ID, "secret").text
        basic = {"Authorization": "Basic " + base64.b64encode(f"ann:{secret}".encode()).decode()}
        url = f"{self.server.url}/mirror/closed/p2/acme/foo.json"
        self.assertEqual(401, fetch(url).status)
        self.assertNotIn(fetch(url, headers=basic).status, {401, 403})
        self.click("button.danger", "Tokens")
        self.assertIn("revoked", browser.find_element(By.CSS_SELECTOR, "[role=status]").text)
        self.assertEqual(401, fetch(url, headers=basic).status)
        self.click("header button", "Sign in")
        browser.get(f"{self.server.url}/profile")
        self.assertEqual("Sign in · Packeton", browser.title)
        told = [entry["message"] for entry in browser.get_log("browser") if "401" not in entry["message"] and "favicon" not in entry["message"]]
        self.assertEqual([], told)

    def test_styles_and_width(self) -> None:
        """The content policy lets our style through, and nothing is wider than a small screen."""
        browser = self.browser
        size = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(f"{self.server.url}/login")
        button = browser.find_element(By.CSS_SELECTOR, "main button")
        self.assertNotEqual("rgba(0, 0, 0, 0)", button.value_of_css_property("background-color"))
        self.assertEqual("6.4px", button.value_of_css_property("border-radius"))
        self.type("_username", "ann")
        self.type("_password", PASSWORD)
        self.click("main button", "Packeton")
        for path in ("/", "/profile", "/profile/tokens/new", "/profile/two-factor", "/profile/sessions", "/profile/login-attempts"):
            browser.get(self.server.url + path)
            self.assertEqual(360, browser.execute_script("return document.documentElement.scrollWidth"), path)
