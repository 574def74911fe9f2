"""How far a command is: a bar on a terminal, now and then a plain line elsewhere; always on standard error."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Steps", "steps"]

LINE_SECONDS: Final = 10.0
"""Between two lines where there is no terminal."""


class Steps(Progress):
    """A bar, or lines; to be entered."""

    def __init__(self, *columns: ProgressColumn, console: Console, seconds: Callable[[], float] = monotonic) -> None:
        super().__init__(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._seconds = seconds
        self._told_at = seconds()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Change a task."""
        super().update(task_id, **changes)
        self._tell(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Say that a task is further."""
        super().advance(task_id, advance)
        self._tell(task_id)

    def _tell(self, task_id: TaskID) -> None:
        if not self.disable or self._seconds() - self._told_at < LINE_SECONDS:
            return
        self._told_at = self._seconds()
        task = self.tasks[self.task_ids.index(task_id)]
        count = f"{task.completed:.0f}" + ("" if task.total is None else f" of {task.total:.0f}")
        self.console.print(f"{task.description}: {count}", markup=False, highlight=False, soft_wrap=True)


def steps(*columns: ProgressColumn) -> Steps:
    """Return what shows steps, by default as text, bar, count and time."""
    usual = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Steps(*(columns or usual), console=Console(stderr=True))
