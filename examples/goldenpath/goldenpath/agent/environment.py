"""Which agent answers, as the environment says."""

from __future__ import annotations

from collections.abc import Mapping

from .builtin import BuiltInAgent
from .contract import Agent, AgentError
from .openai import OpenAIAgent
from .search import Docs
from .tools import toolbox

BASE_URL = "GOLDENPATH_LLM_BASE_URL"
API_KEY = "GOLDENPATH_LLM_API_KEY"
MODEL = "GOLDENPATH_LLM_MODEL"


def agent_from_environment(env: Mapping[str, str], docs: Docs, *, token_delay: float = 0.02) -> Agent:
    """The model that `env` names, else the built-in agent; both with the calculator and `docs`.

    The key may be empty, as local endpoints need none. Anything else half set raises `AgentError`.
    `docs` stays yours to close, after the last reply.
    """
    base_url, api_key, model = (env.get(name, "").strip() for name in (BASE_URL, API_KEY, MODEL))
    tools = toolbox(docs)
    if base_url and model:
        return OpenAIAgent(base_url, api_key, model, tools)
    if base_url:
        raise AgentError(f"{BASE_URL} is set but {MODEL} is not; name the model to ask, or unset both")
    if api_key or model:
        found = API_KEY if api_key else MODEL
        raise AgentError(
            f"{found} is set but {BASE_URL} is not; set it, or unset both for the built-in agent"
        )
    return BuiltInAgent(tools, token_delay=token_delay)
