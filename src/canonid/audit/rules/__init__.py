"""The rules, by stable code. Each is a class with examples of what it finds and of what it leaves alone."""
