import itertools
import os
import uuid


class UniqueIds:
    """Single source of truth for the identifiers of background work."""

    def __init__(self, prefix):
        self.prefix = prefix
        self._count = itertools.count()

    def new(self):
        return f"{self.prefix}-{uuid.uuid4()}"  #! direct-uuid hand-made

    def numbered(self):
        return f"{self.prefix}-{os.getpid()}-{next(self._count)}"  #! weak-source hand-made
