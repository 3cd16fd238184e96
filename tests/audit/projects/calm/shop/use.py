import shop
from shop import IdManager, generate_order_id, generate_user_id
from shop.ids import generate_cart_id, generate_item_id, new_cart_id
from shop.managers import IDKind, IdService, LazyIdGenerator, PatchedIdGenerator

try:
    from shop.ids import generate_fast_id
except ImportError:
    generate_fast_id = None


def use(manager: IdManager, options, order_id, parts):
    IdManager().anything(1, 2)
    LazyIdGenerator().anything()
    PatchedIdGenerator().reset()
    generate_order_id("someone")
    generate_item_id()
    generate_item_id("order")
    generate_user_id(1, 2, three=3)
    generate_cart_id("a", kind="b")
    generate_cart_id(*parts)
    generate_cart_id(**options)
    new_cart_id(1)
    shop.generate_user_id()
    IdService(1, 2).next("order")
    IDKind.ORDER.short, IDKind["CART"], IDKind.CART.name.upper(), IDKind.__members__
    if hasattr(manager, "generate_more"):
        manager.generate_more()
    kind, digits = order_id.split("_")
    return kind, digits


class Orders:
    ids = IdService(clock=None)

    def __init__(self, ids):
        self.ids = ids

    def make(self):
        return self.ids.whatever(1)
