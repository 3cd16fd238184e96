from collections.abc import Iterator
from pathlib import Path

import pytest

from goldenpath.agent import AgentError, Docs, agent_from_environment
from goldenpath.agent.builtin import BuiltInAgent
from goldenpath.agent.openai import OpenAIAgent

URL, KEY, MODEL = "GOLDENPATH_LLM_BASE_URL", "GOLDENPATH_LLM_API_KEY", "GOLDENPATH_LLM_MODEL"


@pytest.fixture
def docs(tmp_path: Path) -> Iterator[Docs]:
    with Docs([], tmp_path) as docs:
        yield docs


@pytest.mark.parametrize("env", [{}, {URL: "", KEY: " ", MODEL: ""}, {"PATH": "/bin"}])
def test_without_an_endpoint_the_built_in_agent_answers(env: dict[str, str], docs: Docs) -> None:
    assert isinstance(agent_from_environment(env, docs), BuiltInAgent)


@pytest.mark.parametrize("key", [{}, {KEY: ""}, {KEY: "sk-1\n"}])
def test_an_endpoint_and_a_model_are_enough(key: dict[str, str], docs: Docs) -> None:
    agent = agent_from_environment({URL: "http://localhost:11434/v1/", MODEL: "small", **key}, docs)
    assert isinstance(agent, OpenAIAgent)
    assert agent.name == "small"


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({URL: "http://x/v1"}, f"{URL} is set but {MODEL} is not"),
        ({URL: "http://x/v1", KEY: "sk-1"}, f"{URL} is set but {MODEL} is not"),
        ({MODEL: "small"}, f"{MODEL} is set but {URL} is not"),
        ({KEY: "sk-secret"}, f"{KEY} is set but {URL} is not"),
        ({KEY: "sk-secret", MODEL: "small"}, f"{KEY} is set but {URL} is not"),
        ({URL: "localhost:11434", MODEL: "small"}, "must start with http:// or https://"),
        ({URL: "http://x/v1", MODEL: "small", KEY: "sk-secret\nX: y"}, "an HTTP header can't carry"),
        ({URL: "http://x/v1", MODEL: "small", KEY: "sk-secret-ü"}, "an HTTP header can't carry"),
    ],
)
def test_half_a_configuration_is_refused_without_showing_the_key(
    env: dict[str, str], sentence: str, docs: Docs
) -> None:
    with pytest.raises(AgentError) as caught:
        agent_from_environment(env, docs)
    assert sentence in str(caught.value)
    assert "secret" not in str(caught.value)
