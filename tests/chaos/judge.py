"""What must hold in the end, whatever was done to the processes meanwhile; and what it took."""

from collections import Counter
from dataclasses import dataclass, field

from proj.jobs.ledger.statements import run
from tests.chaos.effects import Effects
from tests.chaos.flows import EXPECTED, RUNS

_CASE = """substring(message ->> 'body' from '"case": "([^"]*)"')"""


@dataclass
class Verdict:
    """One case as it ended. ``problems`` is empty when every promise was kept."""

    case: str
    promised: bool
    runs: int  # times that a body began
    asked: int  # times that it would have begun without any fault
    effects: int  # pieces of business that were done; each once, the database sees to that
    dead: int  # jobs that failed for good and are kept
    recovered: float | None = None  # seconds from the fault until everything was done
    problems: list[str] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        """Runs beyond the first of each body: allowed, as long as their effects and outcomes are not."""
        return max(0, self.runs - self.asked)


def open_cases() -> Counter[str]:
    """Count the jobs that are owed an outcome, for each case."""
    rows = run(f"SELECT {_CASE}, count(*) FROM jobs_job WHERE state <> 'dead' GROUP BY 1")  # noqa: S608
    return Counter(dict(rows))


def judge(effects: Effects, case: str, *, may_die: bool = False) -> Verdict:
    """Compare what was promised with what was done.

    ``may_die``: what was done to it is a mistake in the program, so that one job may be dead instead of done, and
    what would have followed it is not done.
    """
    flow = dict(run("SELECT case_name, flow FROM chaos_promise WHERE case_name = %s", [case])).get(case)
    done = Counter(
        dict(run("SELECT name, count(*) FROM chaos_business WHERE case_name = %s GROUP BY 1", [case]))
    )
    dead = run(f"SELECT error FROM jobs_job WHERE state = 'dead' AND {_CASE} = %s", [case])  # noqa: S608
    stored = dict(run(_RESULTS, [f"%''case'': ''{case}''%", f"%'case': '{case}'%"]))
    starts = Counter(line["name"] for line in effects.read(kind="start", case=case))
    verdict = Verdict(
        case, flow is not None, starts.total(), RUNS.get(flow or "", 0), done.total(), len(dead)
    )
    expected = EXPECTED[flow or "nothing"]
    say = verdict.problems.append
    if count := open_cases()[case]:
        say(f"{count} jobs are still owed")
    if (missing := expected - set(done)) and not (may_die and dead):
        say(f"not done: {sorted(missing)}")
    if extra := set(done) - expected:
        say(f"done, but not promised: {sorted(extra)}")
    if dead and not may_die and flow != "refused":
        say(f"dead: {dead[0][0]}")
    if flow == "refused" and (stored.get("FAILURE"), len(dead)) != (1, 1):
        say(f"refused, but {stored} and {len(dead)} dead")
    if flow not in (None, "refused") and not dead and stored != {"SUCCESS": len(expected)}:
        say(f"{len(expected)} outcomes expected, and stored are {stored}")
    if flow == "chord" and (left := run(_LEFT)[0][0]):
        say(f"{left} chords are left over")
    return verdict


_RESULTS = """
    SELECT status, count(*) FROM django_celery_results_taskresult
     WHERE task_kwargs LIKE %s OR task_kwargs LIKE %s GROUP BY 1
"""

#: A chord is kept while a part of it is dead, because that may be replayed; or is owed, of course.
_LEFT = """
    SELECT count(*) FROM jobs_chord
     WHERE NOT EXISTS (SELECT FROM jobs_job WHERE message #>> '{headers,group}' = jobs_chord.id)
"""


def overlapping(effects: Effects, case: str) -> int:
    """Count the runs of one body that began while another run of it, which ended later, was going on."""
    lines = [line for line in effects.read(case=case) if line["kind"] in ("start", "end")]
    running: Counter[str] = Counter()
    found = 0
    for line in sorted(lines, key=lambda line: line["at"]):
        if line["kind"] == "start":
            found += running[line["name"]] > 0
            running[line["name"]] += 1
        else:
            running[line["name"]] -= 1
    return found
