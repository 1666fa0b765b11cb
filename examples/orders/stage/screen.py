# SPDX-License-Identifier: MIT
"""What is printed: with a bar that moves where there is a terminal, else in plain lines."""
import os
import sys
import threading
import time

PLAIN_EVERY_S = 4
WIDTH = 40


class Screen:
    def __init__(self):
        self.is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        has_colours = self.is_terminal and "NO_COLOR" not in os.environ
        codes = ("\33[1m", "\33[32m", "\33[31m", "\33[0m") if has_colours else ("", "", "", "")
        self.bold, self.green, self.red, self.reset = codes
        self.lock = threading.Lock()
        self.bar = ""

    def line(self, text=""):
        with self.lock:
            if self.bar:
                sys.stdout.write("\r\33[K")
            sys.stdout.write(f"{text}\n{self.bar}")
            sys.stdout.flush()

    def heading(self, text):
        self.line(f"\n{self.bold}{text}{self.reset}\n")

    def indented(self, text):
        for line in text.rstrip("\n").split("\n"):
            self.line(f"    {line}".rstrip())

    def draw(self, bar):
        with self.lock:
            sys.stdout.write("\r\33[K" + bar)
            sys.stdout.flush()
            self.bar = bar


class Progress:
    """A bar for as long as the block runs. ask() -> done, total, a few words."""

    def __init__(self, screen, ask):
        self.screen = screen
        self.ask = ask
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()
        if self.screen.is_terminal:
            self.screen.draw("")
        else:
            self._show()

    def _watch(self):
        last = time.monotonic()
        while not self.is_over.wait(0.15):
            if self.screen.is_terminal or time.monotonic() - last > PLAIN_EVERY_S:
                self._show()
                last = time.monotonic()

    def _show(self):
        done, total, words = self.ask()
        if self.screen.is_terminal:
            bar = "█" * (done * WIDTH // max(total, 1))
            self.screen.draw(f"  {self.screen.green}{bar:<{WIDTH}}{self.screen.reset} {done} / {total}  {words}")
        else:
            self.screen.line(f"  {done} / {total}  {words}")
