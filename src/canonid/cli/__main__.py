"""`python -m canonid.cli`, the same as `canonid`."""

from canonid.cli.main import run

run()
