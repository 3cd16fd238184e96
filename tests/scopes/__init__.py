"""A package, so that benchmarks/scopes.py is not found in its place."""
