"""Nobody is there: for tests about who is. The workers of other tests tell of themselves in the same database."""

import pytest

from proj.jobs.ledger.statements import run


@pytest.fixture
def nobody(db) -> None:
    """Forget who has told of themselves, and let nobody else tell until the test's transaction is rolled back."""
    run("LOCK TABLE jobs_worker IN EXCLUSIVE MODE")
    run("DELETE FROM jobs_worker")
