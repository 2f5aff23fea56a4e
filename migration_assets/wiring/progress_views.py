"""What a run looks like while it goes: one line that moves on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from migration_assets.wiring.progress import Begun, Course, Told

# What to call when something begins, and with what a stage says; from any thread.
Heard = tuple[Callable[[Begun], None], Callable[[Told], None]]


@contextmanager
def shown_progress(console: Console) -> Iterator[Heard]:
    """Shows how far a run is until the block ends."""
    if not console.is_terminal:
        yield _lines(console)
        return
    text = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (SpinnerColumn(), text, BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, expand=True) as bar:
        yield _moving(bar)


def _moving(bar: Progress) -> Heard:
    """On a terminal: cohort and stage of everything at work, how many of how many steps are done, and since when."""
    task, lock, course, head = bar.add_task("starting", total=None), threading.Lock(), Course(), "starting"

    def show() -> None:
        at = ", ".join(escape(t.place) for t in course.at.values()) or escape(head)
        said = f"  [dim]{escape(course.last.message)}[/]" if course.last is not None else ""
        bar.update(task, description=at + said, total=course.steps or None, completed=course.done, refresh=True)

    def begin(begun: Begun) -> None:
        nonlocal course, head
        with lock:
            course, head = course.begun(begun), str(begun)
            show()

    def hear(told: Told) -> None:
        nonlocal course
        with lock:
            course = course.told(told)
            show()

    return begin, hear


def _lines(console: Console) -> Heard:
    """Elsewhere: a line for whatever begins and for each step that has ended."""
    lock, course = threading.Lock(), Course()

    def begin(begun: Begun) -> None:
        nonlocal course
        with lock:
            course = course.begun(begun)
            console.print(escape(str(begun)))

    def hear(told: Told) -> None:
        nonlocal course
        with lock:
            course = course.told(told)
            if told.seconds is not None:
                line = f"  {course.done}/{course.steps} {told.place}: {told.message}, {told.seconds:.1f} s"
                console.print(escape(line))

    return begin, hear
