from enum import Enum

from vendor.ids import BaseIdManager


class IDKind(Enum):
    ORDER = "order"
    CART = "cart"

    @property
    def short(self):
        return self.value[:3]


class IdManager(BaseIdManager):
    def generate_id(self, kind):
        return super().generate_id(kind)


class LazyIdGenerator:
    def __getattr__(self, name):
        return lambda: name

    def generate_id(self): ...


class PatchedIdGenerator:
    def generate_id(self): ...


def _reset(self): ...


PatchedIdGenerator.reset = _reset


class MixinIdProvider:
    def generate_both_ids(self):
        return self.generate_left_id(), self.generate_right_id()


class IdService:
    def __init__(self, *, clock=None): ...

    def __new__(cls, *args, **kwargs):
        return super().__new__(cls)

    def generate_id(self): ...

    @property
    def next(self):
        return lambda kind: kind
