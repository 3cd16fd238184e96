"""The command line: thin commands over the library. Standard library only, so that it starts at once."""
