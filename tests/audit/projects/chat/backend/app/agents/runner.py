"""Runs agents."""

from shared import IDType, UnifiedIDManager, UnifiedIdGenerator, shared_id_manager
from shared.id_manager import generate_agent_id


class Runner:
    def __init__(self):
        self.ids = UnifiedIDManager()
        self.maker = UnifiedIdGenerator()

    def start(self, user_id):
        thread_id = self.ids.generate_thread_id()
        run_id = self.ids.generate_run_id(thread_id, user_id)
        agent = self.ids.create(IDType.RUN)
        right = self.ids.generate_id(IDType.RUN, prefix="agent", context={})
        wrong = self.ids.generate_id(IDType.RUN, kind="agent")
        unbound = UnifiedIDManager.generate_id(IDType.RUN)
        base = UnifiedIdGenerator.generate_base_id()
        more = self.maker.generate_base_id("agent", random_length=12)
        less = self.maker.generate_base_id(prefix="agent", size=12)
        return thread_id, run_id, agent, right, wrong, unbound, base, more, less, generate_agent_id()

    def check(self):
        return shared_id_manager.validate("x"), shared_id_manager.generate_id(IDType.THREAD), IDType.parse("run")


def read(thread_id, run_id):
    kind, env, ms, rnd = thread_id.split("_")
    stem, _, tail = run_id.rpartition("_")
    return kind, env, ms, rnd, stem, tail


def run(user_id):
    try:
        return shared_id_manager.generate_agent_id()
    except AttributeError:
        return UnifiedIdGenerator.generate_websocket_client_id(user_id)
