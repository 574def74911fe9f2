"""Constraints against many versions, over and over: what was matched once is remembered, within bounds."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final

from packeton.core.composer.constraints import parse_constraints
from packeton.errors import Invalid

__all__ = ["allowed_versions"]

MAX_ANSWERS: Final = 400_000
"""Remembered answers; of more, those of the constraints asked longest ago go."""


class _Memory:
    """What constraints said of versions."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, dict[str, bool]] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    def of(self, constraint: str, versions: Sequence[str]) -> list[bool]:
        """Answer for all *versions*; several threads may ask."""
        with self._lock:
            known = self._answers.setdefault(constraint, {})
            self._answers.move_to_end(constraint)
            try:
                answers = [known[version] for version in versions]
            except KeyError:
                self._learn(constraint, known, [version for version in versions if version not in known])
                answers = [known[version] for version in versions]
            while self._count > MAX_ANSWERS and self._answers:
                self._count -= len(self._answers.popitem(last=False)[1])
        return answers

    def _learn(self, constraint: str, known: dict[str, bool], versions: Sequence[str]) -> None:
        before = len(known)
        try:
            allows = parse_constraints(constraint).allows
            known.update((version, allows(version)) for version in versions)
        except Invalid:  # nothing is granted by what cannot be read
            known.update(dict.fromkeys(versions, False))
        self._count += len(known) - before


MEMORY: Final = _Memory()


def allowed_versions(constraint: str | None, versions: Sequence[str]) -> list[bool]:
    """Say for each normalised version if *constraint* allows it; None allows all, one that cannot be read none."""
    return [True] * len(versions) if constraint is None else MEMORY.of(constraint, versions)
