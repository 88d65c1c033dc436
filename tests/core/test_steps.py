"""Work in steps: in one go, and in turns with threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from pchmr.inference_backend.errors import Cancelled
from pchmr.pchmr_blender import activities
from pchmr.pchmr_blender.activities import AT_ONCE, OTHERS_WORK, THREAD_WORKS, Job, ThreadJob
from pchmr.pchmr_blender.steps import InThread, Status, Steps, drain, ticking

ended: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    ended.clear()


def counting(count: int) -> Steps[int]:
    try:
        total = 0
        for number in range(count):
            total += yield InThread("adding", lambda report, cancelled, number=number: number)
            yield Status("counting", (number + 1) / count)
        yield "nearly there"
        return total
    finally:
        ended.append("counting")


def turned(job: Job, until: Callable[[], bool] = lambda: False) -> None:
    limit = time.monotonic() + 20
    while not until() and not job.turn():
        assert time.monotonic() < limit
        time.sleep(0.001)


def test_drained_steps_return_their_result_and_show_each() -> None:
    shown: list[Status] = []
    assert drain(counting(4), shown.append) == 6
    assert [status.fraction for status in shown] == [0.25, 0.5, 0.75, 1.0, None]
    assert shown[-1] == Status("nearly there")


def test_what_the_showing_raises_is_raised_in_the_work() -> None:
    def show(status: Status) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drain(counting(4), show)
    assert ended == ["counting"]


def test_drained_steps_may_catch_what_their_thread_raises() -> None:
    def careful() -> Steps[str]:
        try:
            yield InThread("dividing", lambda report, cancelled: 1 / 0)
        except ZeroDivisionError:
            return "caught"
        return "not raised"

    assert drain(careful()) == "caught"


def test_a_job_runs_threads_elsewhere_and_all_else_here() -> None:
    seen: list[threading.Thread] = []

    def work() -> Steps[None]:
        seen.append((yield InThread("looking", lambda report, cancelled: threading.current_thread())))
        seen.append(threading.current_thread())

    turned(Job("job", work()))
    assert seen[0] is not threading.current_thread()
    assert seen[1] is threading.current_thread()


@pytest.mark.parametrize(("seconds", "in_a_turn"), [(60.0, 5), (0.0, 1)])
def test_a_turn_takes_steps_until_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch, seconds: float, in_a_turn: int
) -> None:
    monkeypatch.setattr(activities, "TURN_SECONDS", seconds)
    taken: list[int] = []

    def work() -> Steps[None]:
        for number in range(5):
            taken.append(number)
            yield Status("counting")

    job = Job("job", work())
    assert job.turn() == (in_a_turn == 5)
    assert (len(taken), job.pause) == (in_a_turn, AT_ONCE)


def test_what_is_waited_for_is_drawn_before_it_goes_on() -> None:
    def work() -> Steps[None]:
        yield "waiting"
        yield Status("counting")

    job = Job("job", work())
    assert not job.turn()
    assert (job.status(), job.pause) == (Status("waiting"), OTHERS_WORK)
    assert job.turn()


def test_a_threads_report_is_the_jobs_status() -> None:
    go_on = threading.Event()

    def slow(tick: Callable[[int, int], None]) -> None:
        tick(1, 4)
        go_on.wait(10)

    def work() -> Steps[None]:
        yield ticking("reading", slow)

    job = Job("job", work())
    turned(job, lambda: job.status() == Status("reading", 0.25))
    assert job.pause == THREAD_WORKS
    go_on.set()
    turned(job)


@pytest.mark.parametrize("hears", [True, False])
def test_a_cancel_is_raised_in_the_work_within_a_second(hears: bool) -> None:
    release = threading.Event()

    def slow(tick: Callable[[int, int], None]) -> None:
        while not release.is_set():
            time.sleep(0.01)
            if hears:
                tick(1, 4)

    def work() -> Steps[None]:
        try:
            yield ticking("reading", slow)
        except Cancelled:
            ended.append("cancelled")
            raise

    job = Job("job", work())
    job.turn()
    job.cancel()
    assert job.cancelling
    with pytest.raises(Cancelled):
        turned(job)
    release.set()
    assert ended == ["cancelled"]


def test_a_cancel_between_two_steps_is_raised_there() -> None:
    job = Job("job", counting(4))
    turned(job, lambda: job.status() == Status("nearly there"))
    job.cancel()
    with pytest.raises(Cancelled):
        job.turn()
    assert ended == ["counting"]


def test_a_job_that_is_left_ends_its_thread_and_its_work() -> None:
    stopped = threading.Event()

    def slow(report: Any, cancelled: Callable[[], bool]) -> None:
        while not cancelled():
            time.sleep(0.01)
        stopped.set()

    def work() -> Steps[None]:
        try:
            yield InThread("reading", slow)
        finally:
            ended.append("work")

    job = Job("job", work())
    job.turn()
    job.end()
    assert stopped.is_set()
    assert ended == ["work"]


def test_a_job_of_one_thread_begins_at_once() -> None:
    began = threading.Event()
    results: list[int] = []
    job = ThreadJob("job", lambda report, cancelled: (began.set(), 3)[1], results.append)
    assert began.wait(10)
    turned(job)
    assert results == [3]
