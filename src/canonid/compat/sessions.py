"""The generator's sessions of users: bounded in number and age, without anybody calling."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from canonid.compat.locking import ForkSafeLock

LIMIT = 10_000
AGE = 24 * 3600.0  # seconds without use

Name = tuple[str, str]  # user and thread as the caller names them; a thread without a name is ""


class Session:
    """One session of one user. Times are seconds since 1970."""

    __slots__ = ("named", "request_id", "run_id", "thread_id", "used_at", "user_id")

    def __init__(self, user_id: str, named: str, thread_id: str, run_id: str, now: float) -> None:
        self.user_id = user_id
        self.named = named
        self.thread_id = thread_id
        self.run_id = run_id
        self.request_id = ""
        self.used_at = now

    def ids(self) -> dict[str, str]:
        return {"thread_id": self.thread_id, "run_id": self.run_id, "request_id": self.request_id}


class Sessions:
    """Sessions by user and thread, under the thread's name or the ID that was given for it. Thread-safe."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.lock = ForkSafeLock()  # held by the caller from `find` to `add`
        self._sessions: OrderedDict[Name, Session] = OrderedDict()  # the longest unused first
        self._given: dict[Name, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Name]:
        with self.lock:
            return iter(list(self._sessions))

    def __contains__(self, name: object) -> bool:
        return name in self._sessions

    def find(self, user_id: str, thread_id: str, now: float) -> Session | None:
        """The user's session of a thread, which counts as used now."""
        with self.lock:
            self.forget_unused(now - AGE)
            name = user_id, thread_id
            session = self._sessions.get(name) or self._given.get(name)
            if session is not None:
                session.used_at = now
                self._sessions.move_to_end((session.user_id, session.named))
            return session

    def add(self, session: Session) -> None:
        """Keep a new session; the longest unused one goes if there are too many."""
        with self.lock:
            self._sessions[session.user_id, session.named] = session
            self._given[session.user_id, session.thread_id] = session
            if len(self._sessions) > self.limit:
                self._forget(next(iter(self._sessions)))

    def forget_unused(self, since: float) -> int:
        """Forget what was last used up to that time; how many that were."""
        with self.lock:
            old = []
            for name, session in self._sessions.items():
                if session.used_at > since:
                    break
                old.append(name)
            return self._forget(*old)

    def forget_user(self, user_id: str) -> int:
        """Forget all sessions of a user; how many that were. Looks at every session."""
        with self.lock:
            return self._forget(*[name for name in self._sessions if name[0] == user_id])

    def clear(self) -> None:
        with self.lock:
            self._sessions.clear()
            self._given.clear()

    def _forget(self, *names: Name) -> int:
        for name in names:
            session = self._sessions.pop(name)
            del self._given[session.user_id, session.thread_id]
        return len(names)
