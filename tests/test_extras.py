"""Optional dependencies that are missing are named with the line that installs them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SERVING = "pip install 'uvicorn>=0.40' 'websockets>=16'"


@pytest.mark.parametrize(
    ("module", "package", "line"),
    [
        ("canonid.websockets.uvicorn", "uvicorn", SERVING),
        ("canonid.websockets.metrics", "prometheus_client", "pip install 'prometheus-client>=0.22'"),
        ("canonid.testing", "websockets", SERVING),
        ("canonid.testing", "uvicorn", SERVING),
    ],
)
def test_a_missing_extra_is_named(module: str, package: str, line: str) -> None:
    program = f"import sys\nsys.modules[{package!r}] = None\nimport {module}"
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ | path
    )
    assert said.returncode == 1
    assert "MissingExtra" in said.stderr and line in said.stderr


@pytest.mark.parametrize("module", ["canonid.websockets", "canonid.integrations", "canonid.logs"])
def test_rooms_need_no_extra(module: str) -> None:
    missing = ("uvicorn", "websockets", "prometheus_client", "redis", "starlette", "httpx")
    program = f"import sys\nsys.modules.update(dict.fromkeys({missing!r}))\nimport {module}"
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | path)
