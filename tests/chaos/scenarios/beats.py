"""Any number of beats, and each slot once, whatever happens to them."""

import random
import signal
import time
from collections import Counter
from datetime import datetime, timedelta

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from proj.jobs.misfires import Misfire
from proj.jobs.models import SchedulePolicy
from tests.chaos.scenarios.scenario import Outcome, Play, scenario

EVERY = timedelta(seconds=1)


@scenario("C18 three beats, killed and frozen at random: each slot once", "slot", short=True)
def three_beats(play: Play) -> Outcome:
    play.worker()
    names = ["beat1", "beat2", "beat3"]
    beats = {name: play.beat(name) for name in names}
    schedule = make_schedule("C18")
    chance = random.Random(18)
    ends = time.monotonic() + (60 if play.long else 8)
    while time.monotonic() < ends:
        time.sleep(chance.uniform(0.5, 1.5))
        name = chance.choice(names)
        if chance.random() < 0.5:
            beats[name].kill()
            beats[name] = play.beat(name)
        else:
            beats[name].send_to_group(signal.SIGSTOP)
            time.sleep(chance.uniform(0.5, 2))
            beats[name].send_to_group(signal.SIGCONT)
    return check_slots(play, schedule, least=6)


def make_schedule(case: str) -> PeriodicTask:
    """Make a schedule of every second, no slot of which may be left out."""
    interval, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    schedule = PeriodicTask.objects.create(
        name=case, task="chaos.tick", interval=interval, kwargs=f'{{"case": "{case}"}}'
    )
    SchedulePolicy.objects.create(periodic_task=schedule, misfire=Misfire.ALL, catch_up=100)
    return schedule


def check_slots(play: Play, schedule: PeriodicTask, *, least: int) -> Outcome:
    """End the schedule, then compare the slots that there were with those that ran."""
    time.sleep(1.5)  # for what is due
    PeriodicTask.objects.filter(pk=schedule.pk).update(enabled=False)
    time.sleep(1.5)
    play.stage.settle(play.patience)
    ran = Counter(datetime.fromisoformat(line["slot"]) for line in play.stage.effects.read(kind="tick"))
    first, last = min(ran), max(ran)
    slots = {first + n * EVERY for n in range(int((last - first) / EVERY) + 1)}
    twice = [slot for slot, runs in ran.items() if runs > 1]
    return (
        Outcome([])
        .but(set(ran) == slots, f"{len(slots - set(ran))} slots left out, {len(set(ran) - slots)} too many")
        .but(not twice, f"{len(twice)} of {len(slots)} slots ran twice")
        .but(len(slots) >= least, f"only {len(slots)} slots")
    )
