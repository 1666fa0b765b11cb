# SPDX-License-Identifier: MIT
"""Chromium, as a person has it: it clicks what is visible, and reads what is there."""
import json
import os
import re
import shutil
import tempfile

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service as DriverService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from harness.wait import wait_for

ARGUMENTS = ("--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
             " --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
             " --force-color-profile=srgb --lang=en-US").split()

# What a browser says of an answer that is meant to be one: it is no mistake of the page.
EXPECTED = re.compile(r"/(v1/\S+|favicon\.ico) - Failed to load resource: ")


class Browser:
    """One for many tests: each begins with go(), and ends with check()."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="postrider-chromium-")
        options = Options()
        options.binary_location = shutil.which("chromium")
        for argument in (*ARGUMENTS, f"--user-data-dir={self.directory}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=DriverService(shutil.which("chromedriver")), options=options)
        self.driver.set_window_size(1280, 900)

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- where it is ---

    def go(self, url, token=None):
        """A new visit: nothing of the one before is left."""
        base, _, fragment = url.partition("#")
        self.driver.get(f"{base}v1/openapi.json")  # of the same origin, and nothing works there
        self.driver.execute_script("sessionStorage.clear()")
        self.driver.get(url if token is None else f"{base}#token={token}")
        if token is not None and fragment not in ("", "/"):
            wait_for(lambda: "token=" not in self.fragment, "the token to go out of the address")
            self.follow(fragment)

    def leave(self):
        """Before the server of the page ends."""
        self.driver.get("about:blank")

    def follow(self, fragment):
        """To another screen, as by a link."""
        self.driver.execute_script("location.hash = arguments[0]", fragment)

    @property
    def fragment(self):
        return self.driver.execute_script("return location.hash")

    # --- what is there ---

    def text(self, css="body"):
        """What can be read; "" where there is no such thing."""
        script = "const e = document.querySelector(arguments[0]); return e ? e.innerText : ''"
        return self.driver.execute_script(script, css)

    def see(self, *texts, css="body", limit_s=20.0):
        """Waits until all of the texts (or patterns) can be read."""
        def seen():
            shown = self.text(css)
            return all(text.search(shown) if isinstance(text, re.Pattern) else text in shown for text in texts)
        wait_for(seen, f"{texts} in {css}", limit_s, 0.05, on_timeout=lambda: self.text() + "\n" + self.fragment)
        return self.text(css)

    def see_no(self, text, css="body", limit_s=20.0):
        wait_for(lambda: text not in self.text(css), f"no {text!r}", limit_s, 0.05, on_timeout=self.text)

    def count(self, css):
        return len(self.driver.find_elements(By.CSS_SELECTOR, css))

    def element(self, css, text=None, limit_s=20.0):
        """The first that is visible, with the text in it."""
        def found():
            for one in self.driver.find_elements(By.CSS_SELECTOR, css):
                try:
                    if one.is_displayed() and (text is None or text in one.text):
                        return one
                except StaleElementReferenceException:
                    pass
            return None
        return wait_for(found, f"{css} with {text!r}", limit_s, 0.05, on_timeout=self.text)

    # --- what a person does ---

    def click(self, text, css="a, button, summary"):
        def clicked():
            try:
                self.element(css, text).click()
                return True
            except StaleElementReferenceException:
                return False
            except WebDriverException as error:
                if "not clickable" in str(error) or "intercepted" in str(error):
                    return False
                raise
        wait_for(clicked, f"to click {text!r}", interval_s=0.05)

    def fill(self, name, value, css="input"):
        field = self.element(f"{css}[name={name}]")
        field.clear()
        field.send_keys(value)
        return field

    def submit(self, name, value, css="input"):
        self.fill(name, value, css).send_keys(Keys.ENTER)

    def press(self, *keys):
        self.driver.switch_to.active_element.send_keys(*keys)

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    # --- what must hold everywhere ---

    def check(self):
        """No error and no breach of the policy was said in the console."""
        wrong = [entry["message"] for entry in self.driver.get_log("browser")
                 if entry["level"] in ("SEVERE", "WARNING") and not EXPECTED.search(entry["message"])]
        assert wrong == [], "\n".join(wrong)

    def check_accessible(self, axe):
        """By axe-core, whose text is given: nothing of WCAG 2.2 A and AA, nor of its good practice."""
        if not self.driver.execute_script("return Boolean(window.axe)"):
            # As an extension has it: the policy lets no page do so.
            self.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then((r) => done(r.violations))")
        assert found == [], json.dumps([{"id": one["id"], "help": one["help"], "nodes": [
            (node["target"], node["failureSummary"]) for node in one["nodes"][:3]]} for one in found], indent=1)

    def emulate(self, width, height, is_dark=False):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}]})

    def screenshot(self, path, is_whole=True):
        """Of the whole page, however long, or of what is in the window."""
        import base64
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": is_whole})
        with open(path, "wb") as file:
            file.write(base64.b64decode(taken["data"]))
        assert os.path.getsize(path) > 5000
