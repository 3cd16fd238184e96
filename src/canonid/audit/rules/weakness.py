"""IDs that repeat, or that can be guessed."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from typing import ClassVar

from canonid.audit.evaluating import is_id_name, reaching
from canonid.audit.findings import Category, Confidence, Draft, Ignored
from canonid.audit.modules import Module
from canonid.audit.names import Space
from canonid.audit.rule import Rule
from canonid.audit.rules.building import against, judged
from canonid.audit.sinks import Sink, reason_against, sink_of, top
from canonid.audit.templates import Field, Template, birthday, cut_to, fields
from canonid.audit.view import View

WHOLE = frozenset({"hex32", "hex36"})  # what a UUID's text has
WHOLE_BASE64 = frozenset({"hex22", "hex24"})
# What `uuid.UUID` gives a part of itself as, with its bits.
PARTS = {
    "time_low": 32.0,
    "time_mid": 16.0,
    "time_hi_version": 12.0,
    "clock_seq": 14.0,
    "node": 48.0,
    "fields": 64.0,
}
WIDE = frozenset({"hex32", "hex40", "hex64"})  # digits of a digest that are as good as all of them
AMOUNT = re.compile(r"^(?:n|num|number|count|total|len|max|min|least)_|_(?:count|len|size)_", re.I)
MIXED = frozenset({"uuid", "strong", "random", "hash"})  # one of them beside a time keeps two apart
COUNTING = re.compile(
    r"(?:^|_)(?:id|next|last|current|global|seq|sequence)?_?(?:id|uid)s?_?(?:counter|count|seq)?$", re.I
)


class Truncated(Rule):
    """A part of a token where the whole would be needed."""

    code = "CID301"
    title = "a cut token"
    category = "truncated"
    priority = "P1"
    why = "A few digits of a random token repeat soon; the first digits of a UUIDv1 or UUIDv7 are a time."
    instead = "keep the whole token, or declare a format that says how many bits it needs"
    invalid = (
        "import uuid\nrun_id = uuid.uuid4().hex[:8]",
        "import uuid\nshort_id = str(uuid.uuid4()).split('-')[0]",
        "import hashlib\nblock_id = hashlib.sha256(data).hexdigest()[:12]",
        "import uuid\norder_id = uuid.uuid4().int % 10**8",
        "import uuid\nrow_id = uuid.uuid4().int & 0x7FFFFFFF",
        "import uuid\nendpoint_id = f'ep-{uuid.uuid4()}'[:12]",
        "import uuid\njob_id = uuid.uuid4().time_low",
    )
    valid = (
        "logger.info(user_id[:8])",
        "import uuid\nnonce = uuid.uuid4().hex[:16]",
        "import uuid\nrun_id = uuid.uuid4().hex[:32]",
        "import uuid\ndef f():\n    x = uuid.uuid4().hex\n    return f'{x[:8]}-{x[8:16]}-{x[16:32]}'",
        "import base64, uuid\nrun_id = base64.urlsafe_b64encode(uuid.uuid4().bytes)[:22]",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        yield from cls._numbers(view)
        for node, space in view.module.subscripts:
            if not isinstance(node.ctx, ast.Load) or not isinstance(
                node.slice, ast.Slice | ast.Constant | ast.UnaryOp
            ):
                continue
            if not isinstance(node.slice, ast.Slice) and not isinstance(node.value, ast.Call):
                continue
            template = view.evaluator.template(node, space)
            field = _end_cut(node, template) if len(template) > 1 else template[0] if template else ""
            if not isinstance(field, Field) or not field.cut:
                continue
            if _is_piece(node, view):
                continue
            if field.name in (WHOLE_BASE64 if "b64encode(" in ast.unparse(node.value) else WHOLE):
                continue
            sink = view.goes_to(node)
            if field.kind not in ("uuid", "strong", "hash") or (field.kind != "uuid" and not sink.is_id):
                continue
            reason = reason_against(sink)
            if reason is not None and (reason != "file name" or field.kind != "uuid"):
                yield view.ignored(cls, node, space, reason)
                continue
            confidence: Confidence = "certain" if sink.is_id or field.kind == "uuid" else "likely"
            if field.name in WIDE:
                confidence = "question"
            yield view.draft(cls, node, space, confidence, _risk(field), template)

    @classmethod
    def _numbers(cls, view: View) -> Iterator[Draft | Ignored]:
        """A UUID as a number, of which a part is kept: `uuid4().int % 1000`, `uuid4().time_low`."""
        made: list[tuple[ast.expr, Space]] = [
            (source.node, source.space)
            for source in view.sources
            if source.origin.kind == "uuid" and source.called
        ]
        made += [
            (reference.value, space)
            for reference, space in view.module.references
            if isinstance(reference, ast.Attribute)
            and (reference.attr == "int" or reference.attr in PARTS)
            and isinstance(reference.value, ast.Name)
        ]
        for node, space in made:
            cut = _cut_number(node, view.module)
            if cut is None:
                continue
            template = view.evaluator.template(node, space)
            if len(template) != 1 or not isinstance(template[0], Field) or template[0].kind != "uuid":
                continue
            sink = view.goes_to(cut)
            if (reason := reason_against(sink)) is not None:
                yield view.ignored(cls, cut, space, reason)
                continue
            left = _bits_left(cut, template[0].bits)
            field = template[0]._replace(name=f"{template[0].name}_part", bits=left, cut=True)
            yield view.draft(cls, cut, space, "certain" if sink.is_id else "likely", _risk(field), (field,))


def _end_cut(node: ast.Subscript, template: Template) -> Field | str:
    """What is left of a UUID at the end of a text that is cut: `f"ep-{uuid4()}"[:12]`."""
    *before, last = template
    upper = node.slice.upper if isinstance(node.slice, ast.Slice) and node.slice.lower is None else None
    if upper is None or not isinstance(last, Field) or last.kind != "uuid" or last.cut:
        return ""
    length, kept = sum([len(each) for each in before if isinstance(each, str)]), _value(upper)
    if kept is None or not length < kept < length + 32 or any(isinstance(each, Field) for each in before):
        return ""
    return cut_to(last, kept - length)


def _is_piece(node: ast.Subscript, view: View) -> bool:
    """Whether other pieces of the same token stand beside it: it is laid out anew, `f"{x[:2]}:{x[2:4]}"`."""
    whole, name = top(node, view.module), ast.dump(node.value)
    return whole is not node and any(
        isinstance(each, ast.Subscript) and each is not node and ast.dump(each.value) == name
        for each in ast.walk(whole)
    )


def _cut_number(node: ast.expr, module: Module) -> ast.expr | None:
    """The expression that keeps a part of the number that a UUID is."""
    while True:
        above = module.above.get(node)
        match above:
            case ast.Attribute(attr=attr) if attr in PARTS:
                return above
            case ast.Attribute(attr="int" | "hex" | "bytes"):
                node = above
            case ast.Call(func=ast.Name(id="int" | "str" | "abs"), args=[first, *_]) if first is node:
                node = above
            case ast.BinOp(left=left, op=ast.Mod() | ast.BitAnd() | ast.RShift()) if left is node:
                return above
            case _:
                return None


def _bits_left(cut: ast.expr, bits: float) -> float:
    if isinstance(cut, ast.Attribute):
        return min(bits, PARTS[cut.attr])
    assert isinstance(cut, ast.BinOp)
    number = _value(cut.right)
    if number is None or number < 1:
        return min(bits, 64.0)
    if isinstance(cut.op, ast.RShift):
        return max(1.0, bits - number)
    return min(bits, math.log2(number) if isinstance(cut.op, ast.Mod) else float(number.bit_count()))


def _value(node: ast.AST) -> int | None:
    """Of a number, or of a power, a shift or a difference of such."""
    match node:
        case ast.Constant(value=int() as number):
            return number
        case ast.BinOp(left=left, op=op, right=right):
            first, second = _value(left), _value(right)
            if first is None or second is None or not 0 <= second < 256:
                return None
            match op:
                case ast.Pow():
                    return int(first**second)
                case ast.LShift():
                    return first << second
                case ast.Sub():
                    return first - second
    return None


def _risk(field: Field) -> str:
    if field.name.startswith(("uuid1", "uuid6", "uuid7")) or (field.kind == "uuid" and not field.bits):
        return "what is left of this UUID is a time: whatever is made in the same moment has the same ID"
    if field.kind == "hash" or (field.name.endswith("_part") and field.bits >= 122):
        return f"only a part of it is kept ({field.name})"
    return f"{field.bits:.0f} bits are left: {birthday(field.bits)}"


class _Weak(Rule):
    """What is common to sources that make bad IDs, by the kind of what they give."""

    category: ClassVar[Category] = "weak-source"
    kind: ClassVar[str]
    message: ClassVar[str]
    alone: ClassVar[Confidence] = "certain"  # where it is the whole of an ID

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        seen: set[ast.AST] = set()
        for source in view.sources:
            if source.origin.kind != cls.kind:
                continue
            whole = top(source.node, view.module)
            sink = sink_of(whole, view.module)
            is_id = sink.is_id or (cls.kind == "random" and sink.is_code)
            if whole in seen or not is_id or cls.stands(view, source.node, sink):
                continue
            seen.add(whole)
            template = view.evaluator.template(whole, source.space)
            if not cls.weakens(template):
                continue
            if (reason := reason_against(sink)) is not None:
                yield view.ignored(cls, source.node, source.space, reason)
                continue
            yield view.draft(cls, source.node, source.space, cls.alone, cls.message, template)
        for name, space, template in view.passed:
            node = _made_at(name, space) if cls.kind == "random" else name
            if cls.weakens(template) and node not in seen:
                seen.add(node)
                yield view.draft(cls, node, space, cls.alone, cls.message, template)
        for text in view.texts:
            if text.node in seen or not cls.weakens(text.template) or judged(text) != "certain":
                continue
            if against(text) is None:
                yield view.draft(cls, text.node, text.space, "certain", cls.message, text.template)

    @classmethod
    def weakens(cls, template: Template) -> bool:
        return any(field.kind == cls.kind for field in fields(template))

    @classmethod
    def stands(cls, view: View, node: ast.expr, sink: Sink) -> bool:
        """Whether this use is right, whatever it is called."""
        return False


def _made_at(name: ast.Name, space: Space) -> ast.expr:
    """Where the value of a name was made."""
    found = space.find(name.id, name.lineno)
    binding = reaching(found[1], name, same=True) if found is not None else None
    return binding.node if binding is not None and isinstance(binding.node, ast.expr) else name


class TimeOnly(_Weak):
    """Nothing but a time tells two of them apart."""

    code = "CID302"
    title = "a time as an ID"
    category = "time-only"
    priority = "P1"
    why = "Two requests in the same moment get the same ID; a clock that steps back repeats old ones."
    instead = "registry.mint(kind): a UUIDv7 sorts by time as well"
    kind = "time"
    message = "only a time tells two of these IDs apart"
    invalid = (
        "import time\njob_id = int(time.time() * 1000)",
        "import time\njob_id = f'job_{int(time.time())}'",
    )
    valid = (
        "import time, uuid\njob_id = f'{int(time.time())}_{uuid.uuid4()}'  ",
        "import time\nstarted = time.time()",
    )

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        yield from super().check(view)
        for node, space in view.module.subscripts:
            if not isinstance(node.slice, ast.Slice):
                continue
            template = view.evaluator.template(node, space)
            cut = template[0] if len(template) == 1 else ""
            # What a UUIDv1, v6 or v7 begins with.
            is_time = isinstance(cut, Field) and cut.kind == "uuid" and cut.cut and not cut.bits
            if is_time and reason_against(view.goes_to(node, space)) is None:
                yield view.draft(cls, node, space, "certain", cls.message, template)

    @classmethod
    def weakens(cls, template: Template) -> bool:
        kinds = {field.kind for field in fields(template)}
        return "time" in kinds and not kinds & (MIXED | {"counter", "pyhash", "address"})


class RandomId(_Weak):
    """Random numbers that can be predicted."""

    code = "CID303"
    title = "an ID of `random`"
    priority = "P1"
    why = "The generator behind `random` can be predicted after 624 values, and forks repeat it."
    instead = "registry.mint(kind), or secrets"
    kind = "random"
    message = "`random` makes values that can be predicted, and repeated after a fork"
    invalid = (
        "import random\nuser_id = random.randint(1, 10**6)",
        "import random\nrun_id = f'run_{random.random()}'",
    )
    valid = ("import random\nuser_id = random.choice(user_ids)", "import random\ndelay = random.random()")

    @classmethod
    def stands(cls, view: View, node: ast.expr, sink: Sink) -> bool:
        """Drawing one of those that exist."""
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
            return True
        called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        if called not in ("choice", "choices", "sample", "shuffle"):
            return False
        drawn_from = node.args[0] if node.args else node
        return not isinstance(view.module.above.get(node), ast.Call | ast.GeneratorExp | ast.ListComp) or any(
            is_id_name(each.id) or (each.id.endswith("s") and not each.id.startswith("char"))
            for each in ast.walk(drawn_from)
            if isinstance(each, ast.Name) and each.id not in ("string", "letters", "digits", "chars")
        )


class Counter(_Weak):
    """A counter of one process."""

    code = "CID304"
    title = "a counter of one process as an ID"
    category = "weak-source"
    priority = "P1"
    why = (
        "It begins again with each start, and each process counts for itself: the same IDs, again and again."
    )
    instead = "registry.mint(kind), or a sequence of the database"
    kind = "counter"
    message = "a counter of this process: others, and the next start, give the same IDs"
    invalid = ("import itertools\nids = itertools.count()\ntask_id = next(ids)",)
    valid = ("count = 0\ncount += 1",)

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        for node, space in view.module.calls:
            if not (isinstance(node.func, ast.Name) and node.func.id == "next") or not node.args:
                continue
            template = view.evaluator.template(node, space)
            sink = view.goes_to(node)
            if fields(template) and fields(template)[0].kind == "counter" and sink.is_id:
                yield view.draft(cls, node, space, "certain", cls.message, template)
        for text in view.texts:
            kinds = {field.kind for field in fields(text.template)}
            if (
                "counter" in kinds
                and not kinds & MIXED
                and judged(text) == "certain"
                and against(text) is None
            ):
                yield view.draft(cls, text.node, text.space, "certain", cls.message, text.template)
        for grown, space in view.module.grown:
            target = grown.target
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            one = isinstance(grown.value, ast.Constant) and grown.value.value == 1
            lasts = isinstance(target, ast.Attribute) or space is view.module.space or _is_global(name, space)
            if (
                one
                and lasts
                and isinstance(grown.op, ast.Add)
                and COUNTING.search(name)
                and isinstance(target, ast.expr)
            ):
                yield view.draft(cls, target, space, "likely", cls.message)


def _is_global(name: str, space: Space) -> bool:
    body = getattr(space.node, "body", ())
    return any(isinstance(each, ast.Global) and name in each.names for each in body)


class Length(_Weak):
    """How many there are."""

    code = "CID305"
    title = "a length as an ID"
    priority = "P1"
    why = "After one is removed, the next one gets an ID that is taken."
    instead = "registry.mint(kind)"
    kind = "len"
    message = "a length is an ID only until something is removed"
    invalid = ("def f(items): item_id = len(items) + 1", "def f(items): item_id = f'item_{len(items)}'")
    valid = ("def f(ids): count = len(ids)", "def f(ids): n_ids = len(ids)")

    @classmethod
    def stands(cls, view: View, node: ast.expr, sink: Sink) -> bool:
        """How many IDs there are."""
        return sink.name.endswith("s") or AMOUNT.search(sink.name) is not None


class Address(_Weak):
    """Where an object stands in memory."""

    code = "CID306"
    title = "an address as an ID"
    priority = "P1"
    why = "The address of an object that is gone is given to the next one."
    instead = "registry.mint(kind), kept with the object"
    kind = "address"
    message = "`id()` is an address, which the next object may have"
    alone = "likely"
    invalid = ("def f(task): task_id = id(task)", "def f(job): job_id = f'job_{id(job)}'")
    valid = (
        "def f(a, b): return id(a) == id(b)",
        "def f(x, seen_ids): seen_ids.add(id(x))",
        "def f(x, seen):\n    x_id = id(x)\n    if x_id in seen: return\n    seen.add(x_id)",
    )

    @classmethod
    def stands(cls, view: View, node: ast.expr, sink: Sink) -> bool:
        """Remembering an object while it is there."""
        above = view.module.above.get(node)
        kept = isinstance(above, ast.SetComp | ast.Set | ast.DictComp) or (
            isinstance(above, ast.Dict) and node in above.keys
        )
        return (
            kept
            or (sink.how == "argument" and sink.into.endswith((".add", ".append")))
            or _is_looked_up(view, sink)
        )


def _is_looked_up(view: View, sink: Sink) -> bool:
    """Whether the name that it gets is looked for in a set or a dictionary of what was seen."""
    for reference, _ in view.references_to(sink.name) if sink.how == "name" else ():
        above = view.module.above.get(reference)
        match above:
            case ast.Compare(ops=[ast.In() | ast.NotIn()], left=left) if left is reference:
                return True
            case ast.Call(func=ast.Attribute(attr="add" | "discard" | "remove" | "get" | "pop")):
                return True
            case ast.Subscript(slice=index) if index is reference:
                return True
    return False


class PythonHash(_Weak):
    """Python's own hash."""

    code = "CID307"
    title = "`hash()` as an ID"
    priority = "P1"
    why = "It is another one in each process, and different things share one."
    instead = "registry.mint(kind), or an ID derived from the text (hashlib.blake2b)"
    kind = "pyhash"
    message = "`hash()` differs from process to process, and different things share one"
    invalid = ("def f(name): user_id = hash(name) % 100000", "def f(x): node_id = f'node_{hash(x)}'")
    valid = ("class A:\n    def __hash__(self): return hash(self.id)",)


class HashOfTime(Rule):
    """A digest of a time."""

    code = "CID308"
    title = "a digest of a time"
    category = "time-only"
    priority = "P1"
    why = "A digest adds nothing that varies: two in the same moment are the same, and all can be guessed."
    instead = "registry.mint(kind)"
    invalid = ("import hashlib, time\nrun_id = hashlib.md5(str(time.time()).encode()).hexdigest()",)
    valid = ("import hashlib\nblock_id = hashlib.sha256(data).hexdigest()",)

    @classmethod
    def check(cls, view: View) -> Iterator[Draft | Ignored]:
        for node, space in view.module.calls:
            if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("hexdigest", "digest"):
                continue
            template = view.evaluator.template(node, space)
            varying = fields(template)
            if len(varying) != 1 or varying[0].kind != "hash" or "time" not in varying[0].of:
                continue
            sink = view.goes_to(node)
            if varying[0].of & {"uuid", "strong", "random"} or not sink.is_id:
                continue
            message = "a digest of a time: whatever is made in the same moment has the same ID"
            yield view.draft(cls, node, space, "certain", message, template)


RULES = (Truncated, TimeOnly, RandomId, Counter, Length, Address, PythonHash, HashOfTime)
