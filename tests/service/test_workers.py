import asyncio
import logging
import threading

import pytest

from keras_jtav.service.limits import Limits
from keras_jtav.service.refusal import Refusal
from keras_jtav.service.workers import Workers


@pytest.fixture
def gate():
    """An event that lets jobs end; it is set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def test_jobs_are_answered_and_never_more_at_once_than_allowed():
    lock, now, most = threading.Lock(), [0], [0]

    def job(number):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.01)
        with lock:
            now[0] -= 1
        return number

    async def ask():
        workers = Workers(Limits(at_work=3, waiting=50))
        jobs = [workers.run(lambda n=number: job(n)) for number in range(20)]
        answers = await asyncio.gather(*jobs)
        await asyncio.sleep(0.05)
        return answers, workers.inside

    assert asyncio.run(ask()) == (list(range(20)), 0)
    assert 1 <= most[0] <= 3


def test_too_many_are_refused_at_once(gate):
    async def ask():
        workers = Workers(Limits(at_work=1, waiting=1))
        inside = [asyncio.create_task(workers.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(
            Refusal, match="2 requests are at work or waiting"
        ) as caught:
            await workers.run(gate.wait)
        gate.set()
        await asyncio.gather(*inside)
        return caught.value.status

    assert asyncio.run(ask()) == 503


def test_time_runs_out_and_a_job_that_waits_is_dropped(gate):
    ran = []

    async def ask():
        workers = Workers(Limits(at_work=1, waiting=1, timeout_seconds=0.05))
        jobs = (gate.wait, lambda: ran.append("second"))
        results = await asyncio.gather(
            *(workers.run(job) for job in jobs), return_exceptions=True
        )
        gate.set()
        await asyncio.sleep(0.05)
        return results, workers.inside

    results, inside = asyncio.run(ask())
    for result in results:
        assert isinstance(result, Refusal)
        assert result.status == 504
        assert "No answer within 0.05 seconds" in str(result)
    assert ran == []
    assert inside == 0


def test_an_error_is_logged_and_not_sent(caplog):
    def fails():
        raise KeyError("secret")

    def refuses():
        raise Refusal("no")

    async def ask():
        workers = Workers(Limits())
        jobs = (workers.run(fails), workers.run(refuses))
        return await asyncio.gather(*jobs, return_exceptions=True)

    with caplog.at_level(logging.ERROR):
        failed, refused = asyncio.run(ask())
    assert failed.status == 500
    assert "secret" not in str(failed)
    assert "secret" in caplog.text
    assert (refused.status, str(refused)) == (400, "no")


def test_after_the_end_no_job_begins():
    async def ask():
        workers = Workers(Limits())
        workers.close()
        await workers.run(list)

    with pytest.raises(Refusal, match="is stopping") as caught:
        asyncio.run(ask())
    assert caught.value.status == 503
