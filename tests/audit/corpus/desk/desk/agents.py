"""Agents that answer tickets, and what they say on the wire."""

import argparse
import os
import time
import uuid
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from pydantic import BaseModel, Field

try:
    from uuid import uuid7
except ImportError:

    def uuid7():
        return uuid4()  #! direct-uuid


PREFIX = "msg"


def prefixed(prefix, size=12):
    return f"{prefix}_{uuid4().hex[:size]}"  #! hand-made direct-uuid truncated


class Message(BaseModel):
    id: str = Field(default_factory=lambda: f"{PREFIX}_{uuid.uuid4().hex}")  #! hand-made direct-uuid
    parent_id: str | None = None
    response_id: str = Field(default_factory=partial(prefixed, "resp"))  #! ~hand-made


@dataclass
class Step:
    step_id: str = field(default_factory=lambda: "step_" + str(uuid7()))  #! hand-made direct-uuid
    made_at: float = field(default_factory=time.time)


class Agent:
    """One of many; each has a number of its own."""

    count = 0
    NAME = "agent"

    def __init__(self, name, run_id=None):
        Agent.count += 1
        self.agent_id = f"{self.NAME}-{Agent.count}"  #! hand-made weak-source
        self.run_id = run_id or f"run-{name}-{int(time.time() * 1000)}"  #! hand-made time-only
        self._turns = 0

    def next_turn_id(self):
        self._turns += 1
        return f"{self.run_id}/turn-{self._turns}"  #! hand-made ~weak-source ~time-only

    def turn_id(self):
        type(self).count += 1
        return f"{self.run_id}.{self._turns}"  #! hand-made ~weak-source ~time-only

    @property
    def unique_id(self):
        return f"{self.agent_id}:{os.getpid()}"  #! hand-made ~weak-source

    def event(self, kind, payload):
        return {
            "id": f"evt_{uuid.uuid4()}",  #! hand-made direct-uuid
            "agent.run.id": f"{self.agent_id}.{self.run_id}",  #! hand-made ~weak-source ~time-only
            "x-request-id": "req-" + uuid4().hex,  #! hand-made direct-uuid
            "kind": f"agent.{kind}",
            "payload": payload,
        }

    def tool_call(self, call, index):
        call_id = call.get("id") or f"call_{index}"  #! hand-made
        other_id = getattr(call, "tool_id", f"tool_{id(call)}")  #! hand-made weak-source
        return call.get("tool_call_id", f"toolu_{uuid4().hex[:24]}"), call_id, other_id  #! hand-made direct-uuid truncated

    def subject(self):
        name = f"{self.NAME}-{uuid4().hex[:6]}"  #! direct-uuid truncated ~hand-made
        return name

    def store(self, storage):
        key = f"{self.agent_id}/{uuid4()}"  #! direct-uuid ~hand-made
        storage.put(key, b"")
        text = f"snap_{time.time_ns()}"  #! hand-made time-only
        storage.index(snapshot_id=text)


def options(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-id", default=f"run_{int(time.time())}")  #! hand-made time-only
    parser.add_argument("--title", default=f"run of {time.ctime()}")
    parser.add_argument("--worker", default=os.environ.get("WORKER_ID", f"w{os.getpid()}"))  #! hand-made
    return parser.parse_args(arguments)


def correlate(headers, user_id, thread_id):
    lookup = {f"{user_id}|{thread_id}": headers}  #! ~hand-made
    session = headers.setdefault("session_id", "s-%s-%s" % (user_id, thread_id))  #! hand-made
    return lookup, session


def shout(user_id, log):
    log.info(f"user_{user_id} shouts")
    raise ValueError(f"user_{user_id}")


def children(run_id, count):
    child_ids = [f"{run_id}__{number}" for number in range(count)]  #! hand-made
    pairs = {number: f"{run_id}-{number}" for number in range(count)}  #! ~hand-made
    return child_ids, pairs


def query(table, user_id):
    return f"SELECT * FROM {table} WHERE user_id = {user_id}"  #! ~reader
