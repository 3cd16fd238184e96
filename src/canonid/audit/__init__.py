"""Finds every way a codebase makes, cuts and reads IDs, and which of them contradict each other."""
