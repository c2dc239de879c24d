"""Each way in which a task can end, as Celery's own request and trace see it, and what it leaves in the ledger."""

import pytest
from celery import Task, chord, current_app, group, states
from celery.exceptions import Ignore, NotRegistered, Reject, Retry
from celery.result import AsyncResult
from django.db import connection
from django.db.transaction import atomic
from django_celery_results.models import TaskResult

from proj.jobs import ledger
from proj.jobs.dispatcher import Dispatcher
from proj.jobs.errors import Postponed
from proj.jobs.models import Job, State
from proj.jobs.task import JobTask
from tests.jobs.inline import LIMITS, follow, one, raising, stored, the_job


def test_a_retry_that_was_asked_for_without_throwing_is_kept_when_the_task_then_fails(worker, bound):
    tries = []

    def body(self):
        tries.append(self.request.retries)
        if len(tries) == 1:
            self.retry(throw=False, countdown=0)
            raise ValueError

    result = bound(body).delay()
    worker.work()

    assert tries == [0, 1]
    assert stored(result) == states.SUCCESS
    assert not Job.objects.exists()


def test_nothing_follows_from_a_try_that_asked_for_another(worker, bound):
    followed = []
    after = bound(lambda self: followed.append(1))

    def body(self):
        if not self.request.retries:
            self.retry(throw=False, countdown=0)

    bound(body).apply_async(link=after.si())
    worker.work()

    assert followed == [1]


def test_a_retry_that_was_raised_by_hand_is_a_failure(worker, bound):
    bound(raising(Retry("later"))).delay()

    worker.work()

    assert the_job().state == State.DEAD
    assert the_job().error.startswith("TypeError: Retry was raised, but not by self.retry()")


def test_a_rejected_message_that_goes_back_to_its_queue_gives_the_job_back(worker, bound):
    bound(raising(Reject("busy", requeue=True))).delay()

    worker.deliver(the_job())

    assert the_job().state == State.QUEUED
    assert worker.rejected == [(the_job().pk, True)]


def test_a_rejected_message_that_does_not_go_back_is_a_dead_job(worker, bound):
    result = bound(raising(Reject("no", requeue=False))).delay()

    worker.deliver(the_job())

    assert the_job().state == State.DEAD
    assert stored(result) == states.FAILURE


def test_a_task_that_says_ignore_keeps_the_state_that_it_gave_itself(worker, bound):
    def body(self):
        self.update_state(state="PARKED", meta={"bay": 7})
        raise Ignore

    result = bound(body).delay()
    worker.work()

    assert not Job.objects.exists()
    assert (result.state, result.info) == ("PARKED", {"bay": 7})


def test_a_task_may_set_the_state_of_another_without_touching_its_own(worker, bound):
    def body(self):
        self.update_state(task_id="another", state="PARKED")
        return AsyncResult(self.request.id).state

    result = bound(body).delay()
    worker.work()

    assert result.get(timeout=1) == states.STARTED
    assert AsyncResult("another").state == "PARKED"


def test_a_task_that_calls_itself_as_a_function_sends_at_once_what_it_sends_after_that(worker, bound):
    def body(self, depth=1):
        if depth:
            self(depth=0)
            one.delay()
            return Job.objects.filter(task=one.name).count()
        return None

    result = bound(body).delay()
    worker.work()

    assert result.get(timeout=1) == 1


def test_an_errback_that_breaks_the_transaction_does_not_keep_the_failure_from_being_told(worker, bound):
    def break_it(request, exc, traceback):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")

    errback = current_app._get_current_object()._task_from_fun(
        break_it, name="tests.endings.errback", **LIMITS
    )
    result = bound(raising(ValueError("no"))).apply_async(link_error=errback.s())

    worker.work()

    assert (the_job().state, the_job().error) == (State.DEAD, "ValueError: no")
    assert stored(result) == states.FAILURE
    current_app.tasks.pop(errback.name)


@pytest.mark.filterwarnings("ignore:Exception raised outside body")
def test_a_chord_body_that_cannot_be_sent_does_not_keep_its_header_running(worker, bound, monkeypatch):
    chord([one.s()], follow.s()).delay()
    monkeypatch.setattr("proj.jobs.chords.maybe_signature", lambda *_, **__: 1 / 0)

    worker.deliver(the_job())

    assert the_job().state == State.DEAD


def test_a_task_that_runs_out_of_memory_is_dead_and_its_worker_lives_on(worker, bound):
    bound(raising(MemoryError())).delay()

    worker.deliver(the_job())  # Celery would raise MemoryError out of the worker

    assert (the_job().state, the_job().error) == (State.DEAD, "Permanent: it ran out of memory")


@pytest.mark.parametrize("end", [SystemExit(3), KeyboardInterrupt()])
def test_a_task_that_would_end_its_process_is_set_free_at_once_and_counted(worker, bound, end):
    bound(raising(end)).delay()

    with pytest.raises(TypeError, match="cannot unpack"):  # Celery's pools of one process stumble over it too
        worker.deliver(the_job())
    dispatcher = Dispatcher(current_app)
    rescued = [dispatcher.rescue_orphans(), dispatcher.rescue_orphans()]

    assert rescued == [0, 1]  # only what was gone at two looks
    assert (the_job().state, the_job().losses) == (State.QUEUED, 1)


def test_a_message_that_expired_is_cancelled_and_its_chord_is_told(worker):
    result = chord([one.s(), one.s().set(expires=-1)], follow.s()).delay()

    worker.work()

    assert not Job.objects.exists()
    assert sorted(TaskResult.objects.exclude(task_id=result.id).values_list("status", flat=True)) == [
        states.REVOKED,
        states.SUCCESS,
    ]
    assert "TaskRevokedError" in str(result.result)


def test_a_message_that_expired_does_not_end_the_job_that_another_copy_of_it_started(worker, bound):
    def body(self):
        copy = the_job()
        copy.message["headers"]["expires"] = "2001-01-01T00:00:00+00:00"
        worker.deliver(copy)

    result = bound(body).delay()
    worker.work()

    assert stored(result) == states.SUCCESS


def test_a_subclass_that_forgets_to_claim_is_claimed_for(worker, bound):
    class Forgetful(JobTask):
        abstract = True

        def before_start(self, task_id, args, kwargs):
            pass

    result = bound(lambda self: 5, base=Forgetful).delay()
    worker.work(most=2)

    assert stored(result) == states.SUCCESS
    assert not Job.objects.exists()


def test_a_task_of_another_base_than_ours_is_plain_celery(worker, waiting):
    class Plain(Task):
        name = "tests.endings.plain"

        def run(self):
            """Nothing."""

    plain = current_app.register_task(Plain())

    plain.apply_async(queue="io")

    assert not Job.objects.exists()
    assert waiting("io") == 1
    current_app.tasks.pop(plain.name)


def test_callbacks_are_recorded_with_the_outcome_each_once(worker, bound):
    seen = []
    callback = bound(lambda self, given: seen.append(given))

    one.apply_async(link=[callback.s(), group(callback.s(), callback.s())])
    worker.work()

    assert seen == [1, 1, 1]


def test_a_dead_job_that_is_sent_again_under_its_id_is_owed_again(worker, bound):
    broken = [True]

    def body(self, word):
        if broken:
            raise ValueError
        return word

    task = bound(body)
    result = task.delay("first")
    worker.work()
    broken.clear()

    task.apply_async(("second",), task_id=result.id)
    worker.work()
    task.apply_async(("third",), task_id=result.id)
    worker.work()

    assert AsyncResult(result.id).get(timeout=1) == "second"  # what succeeded is not done again
    assert not Job.objects.exists()


def test_recording_a_message_leaves_no_event_behind(worker):
    with atomic():
        one.delay()

    assert not current_app.amqp._event_dispatcher._outbound_buffer


def test_eager_and_direct_calls_never_reach_the_ledger(worker):
    assert one.apply().get() == 1
    assert one() == 1

    assert not Job.objects.exists()
    assert not TaskResult.objects.exists()


def test_a_task_that_no_worker_knows_stays_owed(worker):
    result = current_app.send_task("tests.endings.unknown", queue="default")

    with pytest.raises(KeyError):
        worker.deliver(the_job())  # the consumer catches this, and tells the backend:
    error = current_app.backend.mark_as_failure
    error(result.id, NotRegistered("tests.endings.unknown"), request=None)

    assert (the_job().state, stored(result)) == (State.QUEUED, None)


def test_a_message_from_outside_runs_as_plain_celery(worker):
    """One that somebody else put into the broker, which the ledger has never seen."""
    result = one.delay()
    job = the_job()
    del job.message["headers"]["ledger"]
    Job.objects.all().delete()

    worker.deliver(job)

    assert stored(result) == states.SUCCESS
    assert Job.objects.count() == 0


def test_a_job_that_is_postponed_waits_in_the_ledger_and_has_used_up_no_try(worker, bound):
    result = bound(raising(Postponed(60, "The provider is down."))).delay()

    worker.work()

    job = the_job()
    assert (job.state, job.error) == (State.QUEUED, "The provider is down.")
    assert 60 <= (job.available_at - job.claimed_at).total_seconds() < 65
    assert job.message["headers"]["retries"] == 0
    assert (job.published_at, job.claimed_by, job.losses) == (None, None, 0)
    assert result.state == states.RETRY
    assert stored(result) is None


def test_a_postponed_job_runs_when_its_time_has_come_as_often_as_it_takes(worker, bound):
    runs = []

    def body(self):
        runs.append(self.request.retries)
        if len(runs) <= 20:  # more than the tries of any task
            raise Postponed(0, "not yet")

    result = bound(body).delay()
    worker.work()

    assert runs == [0] * 21
    assert stored(result) == states.SUCCESS


def test_a_postponed_job_that_somebody_wants_cancelled_is_not_waited_for(worker, bound):
    def body(self):
        ledger.cancel(self.request.id)
        raise Postponed(60, "not yet")

    result = bound(body).delay()
    worker.work()

    assert stored(result) == states.REVOKED
    assert not Job.objects.exists()


def test_a_postponed_message_from_outside_is_sent_again(worker, bound):
    task = bound(raising(Postponed(60, "not yet")))
    task.push_request(id="outside", called_directly=False, retries=3, args=(), kwargs={})

    with pytest.raises(Retry) as caught:
        task()

    assert caught.value.when == 60
