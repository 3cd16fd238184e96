"""Files examined by several processes, of which any may die."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import canonid
from canonid.audit.examining import Outcome, Task, broken, collecting_by_hand, examine_all
from canonid.audit.worker import READY, receive, send

CHUNK_BYTES = 256 << 10
CHUNK_FILES = 100
HEAVY_BYTES = 1 << 20  # such a file's tree takes 60 MB and more: only one is read at a time
START = "import sys; sys.path.append(sys.argv[1]); from canonid.audit.worker import serve; serve()"

Chunk = list[Task]


def examine_here(tasks: Sequence[tuple[Task, int]]) -> Iterator[list[Outcome]]:
    """Examines files, given with their sizes in bytes, in this process."""
    heavy, light = _chunks(tasks)
    with collecting_by_hand():
        for chunk in [*heavy, *light]:
            yield examine_all(chunk)


def examine_across(tasks: Sequence[tuple[Task, int]], workers: int) -> Iterator[list[Outcome]]:
    """Examines files, given with their sizes in bytes, in so many processes, which end with the iteration.

    A file whose process dies is broken; the others that were in its hands are examined again. Where no
    process can be started, this one does the work.
    """
    team = _Team(*_chunks(tasks))
    threads = [
        threading.Thread(target=team.work, args=(first == 0,), daemon=True) for first in range(workers)
    ]
    for thread in threads:
        thread.start()
    working = len(threads)
    try:
        while working:
            answer = team.answers.get()
            if answer is None:
                working -= 1
            else:
                yield answer
    finally:
        team.end()
        for thread in threads:
            thread.join()
    with collecting_by_hand():
        for chunk in [*team.heavy, *team.light]:
            yield examine_all(chunk)


def _chunks(tasks: Sequence[tuple[Task, int]]) -> tuple[list[Chunk], list[Chunk]]:
    """Big files first, so that the last ones to end are small. Heavy ones are alone."""
    heavy: list[Chunk] = []
    light: list[Chunk] = []
    room = 0
    for task, size in sorted(tasks, key=lambda each: (-each[1], each[0].path)):
        if size >= HEAVY_BYTES:
            heavy.append([task])
        elif light and room >= size and len(light[-1]) < CHUNK_FILES:
            light[-1].append(task)
            room -= size
        else:
            light.append([task])
            room = CHUNK_BYTES - size
    return heavy, light


class _Team:
    """A thread for each process: it hands out chunks, waits for answers, and sees the process die."""

    def __init__(self, heavy: Sequence[Chunk], light: Sequence[Chunk]) -> None:
        self.heavy, self.light = deque(heavy), deque(light)
        self.answers: SimpleQueue[list[Outcome] | None] = SimpleQueue()  # None: a thread has ended
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def work(self, takes_heavy: bool) -> None:
        process: subprocess.Popen[bytes] | None = None
        try:
            while chunk := self._next(takes_heavy):
                process = process or self._start()
                if process is None:
                    self.light.appendleft(chunk)
                    return
                answer = _ask(process, chunk)
                if answer is not None:
                    self.answers.put([Outcome(*outcome) for outcome in answer])
                    continue
                self._settle(chunk, self._dismiss(process))
                process = None
        finally:
            if process is not None:
                self._dismiss(process)
            self.answers.put(None)

    def end(self) -> None:
        """No process is left, whatever it was doing."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.kill()

    def _next(self, takes_heavy: bool) -> Chunk | None:
        with self._lock:
            if self._ended:
                return None
            if takes_heavy and self.heavy:
                return self.heavy.popleft()
            return self.light.popleft() if self.light else None

    def _start(self) -> subprocess.Popen[bytes] | None:
        """A process that is ready, or None."""
        if not sys.executable:  # Python is a part of another program
            return None
        # -I: nothing in the working folder, which may be the audited one, can be imported.
        command = [sys.executable, "-I", "-S", "-c", START, str(Path(canonid.__file__).parents[1])]
        pipe = subprocess.PIPE
        try:
            with self._lock:
                if self._ended:
                    return None
                # In a session of its own: Ctrl-C is for the parent, which ends this one.
                process = subprocess.Popen(  # noqa: S603
                    command, stdin=pipe, stdout=pipe, start_new_session=True
                )
                self._processes.add(process)
        except OSError:
            return None
        assert process.stdout is not None
        if receive(process.stdout) != READY:
            self._dismiss(process)
            return None
        return process

    def _dismiss(self, process: subprocess.Popen[bytes]) -> int:
        """Its exit code."""
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):  # it is gone already
            process.stdin.close()
        process.stdout.close()
        code = process.wait()
        with self._lock:
            self._processes.discard(process)
        return code

    def _settle(self, chunk: Chunk, code: int) -> None:
        """What becomes of files whose process died: the one that was alone in it is the reason."""
        if len(chunk) > 1:
            self.light.extendleft([[task] for task in chunk])
        else:
            how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
            self.answers.put([broken(chunk[0].path, f"the process that read it died ({how})")])


def _ask(process: subprocess.Popen[bytes], chunk: Chunk) -> Any:
    """The outcomes, or None if the process dies."""
    assert process.stdin is not None and process.stdout is not None
    try:
        send(process.stdin, [tuple(task) for task in chunk])
        return receive(process.stdout)
    except OSError:
        return None
