"""Whoever reads only the last lines of a test run learns that nothing was tried in a browser, and how to change that."""

import pytest

from tests.browser import chromium

#: In the reason of every test that is skipped for want of one.
WANTED = "no browser"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [report for report in terminalreporter.getreports("skipped") if WANTED in str(report.longrepr)]
    if skipped and chromium.find() is None:
        terminalreporter.section("NOT TESTED: THE PAGES IN A BROWSER", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} tests were skipped because {chromium.LOOKED_FOR}. As root: {chromium.HOW}"
        )
