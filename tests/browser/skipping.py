"""Whoever reads only the last lines of a test run learns that nothing was tried in a browser, and how to change that."""

import pytest

from tests.browser import chromium

FOLDER = "tests/browser/"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [
        report for report in terminalreporter.getreports("skipped") if report.nodeid.startswith(FOLDER)
    ]
    if skipped and chromium.find() is None:
        terminalreporter.section("NOT TESTED: THE PAGES IN A BROWSER", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} tests were skipped because {chromium.LOOKED_FOR}. As root: {chromium.HOW}"
        )
