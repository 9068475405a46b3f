"""What a service takes on before it refuses."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """Bounds of one service; every one is above 0.

    Args:
        max_body_mb: Largest request, in MiB.
        max_rows: Most rows of one request: posts, queries or songs.
        max_pairs: Most pairs that one call of ``score`` scores.
        timeout_seconds: After it a request is given up, its time of waiting included.
        at_work: Requests that are worked on at once; by default as many as cores.
        waiting: Requests that wait for their turn; more are refused at once.
        grace_seconds: How long a service that stops waits for what is at work.

    Raises:
        ValueError: A bound that is not above 0.

    Example:
        >>> Limits(max_rows=8).max_body_bytes
        67108864
    """

    max_body_mb: float = 64.0
    max_rows: int = 64
    max_pairs: int = 10_000
    timeout_seconds: float = 30.0
    at_work: int = field(default_factory=lambda: os.cpu_count() or 1)
    waiting: int = 64
    grace_seconds: float = 30.0

    def __post_init__(self) -> None:
        for bound in fields(self):
            if not getattr(self, bound.name) > 0:
                raise ValueError(
                    f"`{bound.name}` must be above 0; received "
                    f"{getattr(self, bound.name)}."
                )

    @property
    def max_body_bytes(self) -> int:
        """``max_body_mb`` in bytes."""
        return int(self.max_body_mb * MEBIBYTE)

    @property
    def max_requests(self) -> int:
        """Requests that may be inside at once, at work or waiting."""
        return self.at_work + self.waiting
