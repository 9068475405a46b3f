"""Threads that answer requests: so many at once, so many waiting, so long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from keras_jtav.service.limits import Limits
from keras_jtav.service.refusal import Refusal

Answer = TypeVar("Answer")
log = logging.getLogger(__name__)


class Workers:
    """Runs jobs of requests in threads; a model's graph runs without Python's lock.

    Args:
        limits: Of the service.

    Attributes:
        inside: Jobs that are at work or waiting.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.at_work, "keras_jtav_worker")
        self.inside = 0

    async def run(self, job: Callable[[], Answer]) -> Answer:
        """Return what a job returns.

        A job that has begun cannot be stopped: when its time is over its sender is
        told, and it keeps its thread until it ends.

        Raises:
            Refusal: Too many requests, the end of the service, no answer in time, what
                the job refused, or an error inside it, which is logged and not sent.
        """
        if self.inside >= self._limits.max_requests:
            raise Refusal(
                f"{self.inside} requests are at work or waiting, and this service "
                "takes no more at once. Ask again later.",
                HTTPStatus.SERVICE_UNAVAILABLE,
            )
        try:
            future = self._threads.submit(job)
        except RuntimeError:  # the threads take nothing any more
            raise Refusal(
                "This service is stopping.", HTTPStatus.SERVICE_UNAVAILABLE
            ) from None
        self.inside += 1
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda _: _leave(loop, self._one_left))
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(future), self._limits.timeout_seconds
            )
        except TimeoutError:
            raise Refusal(
                f"No answer within {self._limits.timeout_seconds:g} seconds; "
                f"{self.inside} requests are at work or waiting. Send fewer rows, or "
                "ask again later.",
                HTTPStatus.GATEWAY_TIMEOUT,
            ) from None
        except Refusal:
            raise
        except Exception:
            log.exception("A request could not be answered")
            raise Refusal(
                "The model could not answer; the service's log says why.",
                HTTPStatus.INTERNAL_SERVER_ERROR,
            ) from None

    def close(self) -> None:
        """Take no further jobs, and drop those that have not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _one_left(self) -> None:
        self.inside -= 1


def _leave(loop: asyncio.AbstractEventLoop, count: Callable[[], None]) -> None:
    """Count on the loop's own thread; a loop that is closed counts no more."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(count)
