"""Tests of the help desk, with IDs as people write them down."""

import uuid

import pytest

from desk.agents import Agent

TICKET_ID = "TCK-20240101-00017"  #! hand-made
USER = {"user_id": "user_1", "name": "user_1"}  #! hand-made
OWNER_UUID = uuid.UUID("6f1c1d1e-0b9e-4c55-9a3c-0f6b8d2f4a11")  #! hand-made


@pytest.fixture
def thread_id():
    return "thread_test_1"  #! hand-made


@pytest.mark.parametrize("agent_id", ["agent-1", "agent-2"])  #! ~hand-made
def test_agents(desk, agent_id):
    assert desk.agent(agent_id) is not None


@pytest.mark.parametrize("value", [1, 2], ids=["case-1", "case-2"])  #! none: names of cases
def test_values(desk, value):
    assert desk.value(value) == value


def test_a_ticket_is_found(desk, thread_id):
    ticket = desk.ticket(ticket_id="TCK-20240101-00018", thread_id=thread_id)  #! hand-made
    assert ticket.owner_id == "user_1"  #! hand-made
    assert ticket.title == "ticket-18"  #! none: a title


def test_a_session(client):
    answer = client.post("/sessions", json={"session_id": "test-session", "client": "web-2"})  #! hand-made
    assert answer.status_code == 200
    answer = client.post("/sessions", headers={"x-correlation-id": "abc-123"})  #! hand-made
    assert answer.json()["session_id"] == "test-session"  #! ~hand-made


def test_models(client):
    client.use(model_id="gpt-4o", version_id="1.2.3", region="eu-1")  #! none: from a catalogue


def test_many(desk):
    user_ids = ["u1", "u2"]  #! hand-made
    desk.invite(user_ids, role_id="admin-1")  #! ~hand-made
    ids = [f"user-{number}" for number in range(3)]  #! hand-made
    desk.invite(ids)
    assert desk.count(day="2024-01-01") == 5


def test_an_agent_has_a_run():
    agent = Agent("a", run_id="run_0001")  #! hand-made
    assert agent.run_id.startswith("run_")  #! reader
    other = Agent("b", run_id=f"run_{uuid.uuid4().hex}")  #! hand-made direct-uuid
    assert agent.run_id != other.run_id
    assert agent.agent_id == "agent-1"  #! hand-made


def test_widget(page):
    assert page.render("field", {"id": "id_field_1"})  #! none: an element
    assert page.find(id="row-1")  #! none: an element
