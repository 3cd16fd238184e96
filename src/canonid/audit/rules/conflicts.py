"""Places that contradict each other about how an ID is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import comb, prod

from canonid.audit.facts import Holding, Part
from canonid.audit.findings import Confidence, Draft
from canonid.audit.paths import is_test
from canonid.audit.producers import (
    VAGUE,
    Producer,
    beginning,
    begins_with,
    language,
    meant,
    near,
    parts_between,
    producers,
    same_shape,
    samples,
    shown,
    width,
)
from canonid.audit.repository import Repository
from canonid.audit.rule import Rule
from canonid.audit.wording import kind_of_name
from canonid.core.automata import Path, automaton, shortest_common
from canonid.core.language import Node

Drafted = tuple[str, Draft]

SPLIT = re.compile(r"(?:r?split|re\.split)\(\"(.)\"\) of (\d+)(\+?)$")
AT_MOST = re.compile(r"split\([^()]*?,\s*(?:maxsplit=)?(\d+)\)$")
PREFIX = re.compile(r"(?:startswith|removeprefix)\((.*)\)$")
LENGTH = re.compile(r"(?:==|!=) (\d+)$")
QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"")
COUNTED = frozenset({"CID401", "CID405"})  # readers of which one can say for sure that they fail
HOW = re.compile(r"\b(fullmatch|match)\(")
REPEATED = re.compile(
    r"\)[*+?{]|[*+}?][*+{]|\\\d|\(\?[^:P]"
)  # a group repeated, or something that looks around
REPEATS = re.compile(r"(?<!\()[*+?]|\{\d*,")
MOST_WAYS = 2_000_000  # take some 50 ms
TELLING_APART = re.compile(r"_*(?:is|has|looks|seems)_(?!.*valid)")  # names of functions that refuse nothing
READ = re.compile(
    r"(?:(\w+)\.)?(\w+)(?:\[['\"](\w+)['\"]\])?\)*\.(?:r?split|startswith|removeprefix)\(|len\((?:(\w+)\.)?(\w+)\)"
    r"|(?:UUID|match|fullmatch)\((?:[^()]*, )?(?:hex=)?(?:str\()?(?:(\w+)\.)?(\w+)\)"
)


class Unreadable(Rule):
    """A reader that can't read what a producer of that kind writes."""

    code = "CID701"
    title = "a reader that expects another format"
    category = "conflict"
    priority = "P0"
    why = "What the producer writes is refused, or read wrongly, at run time; tests use texts of their own."
    instead = "declare the format once, and read with registry.parse(text)"
    invalid = (
        "import time, uuid\ndef generate_thread_id():\n"
        "    return f'thread_{int(time.time() * 1000)}_{uuid.uuid4().hex[:8]}'\n"
        "def f(thread_id): _, env, ms, rnd = thread_id.split('_')",
        "import uuid\ndef generate_run_id(): return f'run_{uuid.uuid4().hex}'\n"
        "def f(run_id): return run_id.startswith('run-')",
    )
    valid = (
        "import time, uuid\ndef generate_thread_id():\n"
        "    return f'thread_{int(time.time() * 1000)}_{uuid.uuid4().hex[:8]}'\n"
        "def f(thread_id): _, ms, rnd = thread_id.split('_')",
        "import uuid\ndef generate_run_id(): return f'run_{uuid.uuid4().hex}'\n"
        "def f(run_id): return run_id.startswith('test_')",
        "import uuid\ndef generate_run_id(user_id): return f'run_{user_id}_{uuid.uuid4().hex}'\n"
        "def f(run_id): _, user, part, rnd = run_id.split('_')",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        written = repository.once(producers)
        for path, facts in repository.files.items():
            for draft in facts.drafts:
                kind = kind_read(draft)
                service = repository.service_of(path)
                within = [
                    each
                    for each in written.get(kind, ())
                    if repository.service_of(each.path) in ("", service)
                ]
                counted_on = (
                    [each for each in within if near(each, path)]
                    if draft.code == "CID404"
                    else meant(within, path)
                )
                wrong = [(each, why) for each in counted_on if (why := misread(draft, each))]
                if not wrong or len(wrong) < len(counted_on):
                    continue
                producer, why = wrong[0]
                confidence: Confidence = "certain" if producer.name and draft.code in COUNTED else "likely"
                if draft.code == "CID401" and not producer.name and not near(producer, path):
                    confidence = "question"  # one word for two things, more likely than not
                message = f"{why}; {producer.called} writes {shown(producer.template)}"
                yield path, draft._replace(code=cls.code, confidence=confidence, message=message)


def kind_read(draft: Draft) -> str:
    """The kind of what a reader takes apart, by what the code calls it; "" where it doesn't say."""
    if not draft.code.startswith("CID40"):
        return ""
    found = READ.search(draft.normal)
    if found is None:
        return ""
    owner, name = found[1] or found[4] or found[6], found[3] or found[2] or found[5] or found[7]
    kind = kind_of_name(name)
    if not kind and owner not in (None, "self", "cls"):
        return owner.lower()
    return "" if kind in VAGUE or kind == name.lower() else kind


def misread(draft: Draft, producer: Producer) -> str:
    """Why a reader can't read what a producer of that kind writes, or ""."""
    template = producer.template
    if found := SPLIT.search(draft.template):
        return _miscounted(draft.normal, template, found[1], int(found[2]), found[3] == "+")
    if found := PREFIX.match(draft.template):
        prefixes = [each for each in QUOTED.findall(found[1]) if _is_of_kind(each, producer.kind)]
        if prefixes and beginning(template) and not any(begins_with(template, each) for each in prefixes):
            return f"looks for {' or '.join(prefixes)}"
    if draft.code == "CID405" and (found := LENGTH.search(draft.template)):
        length = width(template)
        if length is not None and length != int(found[1]):
            return f"expects {found[1]} characters, gets {length}"
    if draft.code == "CID406" and draft.template == "UUID" and [part.kind for part in template] != ["uuid"]:
        return "expects a UUID"
    if draft.code == "CID404" and not TELLING_APART.match(draft.symbol.rpartition(".")[2]):
        return _unmatched(draft.template, draft.normal, samples(template))
    return ""


def _unmatched(pattern: str, normal: str, texts: Sequence[str]) -> str:
    """Why a regular expression refuses all of some texts. One that might take long on them is not tried."""
    how = HOW.search(normal)
    if (
        how is None
        or ", re." in normal
        or "flags" in normal
        or not pattern
        or not texts
        or len(pattern) > 200
        or REPEATED.search(pattern)
    ):
        return ""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return ""
    if _ways(pattern, max([len(text) for text in texts])) > MOST_WAYS:
        return ""
    if any(getattr(compiled, how[1])(text) for text in texts):
        return ""
    return f"expects what matches {pattern}"


def _ways(pattern: str, length: int) -> int:
    """At most how many ways there are to try a pattern, without groups that repeat, on a text."""
    alternatives = prod([1 + group.count("|") for group in re.split(r"[()]", pattern)])
    repeats = len(REPEATS.findall(pattern))
    return alternatives * comb(length + repeats, repeats)


def _is_of_kind(prefix: str, kind: str) -> bool:
    """Whether a prefix is meant for the kind, as "thread_" is for threads: others tell strangers apart."""
    word = re.split(r"[^a-z]", prefix.lower())[0]
    return len(word) > 1 and (kind == word or kind.startswith(word) or kind.endswith(f"_{word}"))


def _miscounted(normal: str, template: tuple[Part, ...], separator: str, wanted: int, more: bool) -> str:
    least, exact = parts_between(template, separator)
    if bound := AT_MOST.search(normal):
        least = min(least, int(bound[1]) + 1)
    if (exact and least < wanted) or (least > wanted and not more):
        return f"expects {wanted} parts, gets {least}"
    return ""


class TwoFormats(Rule):
    """Two producers of one kind that write it differently."""

    code = "CID702"
    title = "one kind in two formats"
    category = "conflict"
    priority = "P0"
    why = "Who reads the one can't read the other, and two IDs of one thing don't compare equal."
    instead = "one kind in the registry, minted by registry.mint(kind); the other format as a legacy one"
    invalid = (
        "import time, uuid\ndef generate_run_id(): return f'run_{uuid.uuid4().hex}'\n"
        "class Runs:\n    def new_run_id(self): return f'run-{int(time.time() * 1000)}'",
    )
    valid = (
        "import uuid\ndef generate_run_id(): return f'run_{uuid.uuid4().hex}'\n"
        "class Runs:\n    def new_run_id(self): return f'run_{uuid.uuid4().hex}'",
        "import uuid\ndef generate_run_id(): return f'run_{uuid.uuid4().hex}'\n"
        "def generate_user_id(): return f'user-{uuid.uuid4()}'",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        for kind, made in repository.once(producers).items():
            named = [each for each in made if each.is_public]
            if not named:
                continue
            first = named[0]
            for each in made:
                if each is first or same_shape(first.template, each.template) or not near(each, first.path):
                    continue
                yield (
                    each.path,
                    _drafted(
                        cls,
                        each,
                        "likely",
                        f"{each.name or 'this'} writes a {kind} ID as {shown(each.template)}, "
                        f"{first.name} in {first.path} as {shown(first.template)}",
                    ),
                )


def _drafted(rule: type[Rule], producer: Producer, confidence: Confidence, message: str) -> Draft:
    return Draft(
        rule.code,
        producer.place,
        confidence,
        producer.symbol,
        shown(producer.template),
        message,
        producer.normal,
    )


class Ambiguous(Rule):
    """Two producers of different kinds that can write the same text."""

    code = "CID703"
    title = "one text for two kinds"
    category = "conflict"
    priority = "P1"
    why = "Nothing in such an ID says which of the two it is, so one is taken for the other."
    instead = "a prefix of its own for each kind of the registry"
    invalid = (
        "import uuid\ndef generate_request_id(): return f'req_{uuid.uuid4().hex[:12]}'\n"
        "def generate_requirement_id(): return f'req_{uuid.uuid4().hex[:12]}'",
    )
    valid = (
        "import uuid\ndef generate_request_id(): return f'req_{uuid.uuid4().hex[:12]}'\n"
        "def generate_requirement_id(): return f'req_{uuid.uuid4().hex[:8]}'",
        "import uuid\ndef generate_user_id(): return str(uuid.uuid4())\n"
        "def generate_run_id(): return str(uuid.uuid4())",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        named = [each for made in repository.once(producers).values() for each in made if each.is_public]
        known = [
            (each, node) for each in named if beginning(each.template) and (node := language(each.template))
        ]
        for number, (each, node) in enumerate(known):
            for other, earlier in known[:number]:
                if each.kind.endswith(other.kind) or other.kind.endswith(each.kind):
                    continue
                if not _may_begin_alike(each, other) or (text := _common(node, earlier)) is None:
                    continue
                message = f"{text} may be of {each.kind}, or of {other.kind} by {other.name} in {other.path}"
                yield each.path, _drafted(cls, each, "likely", message)
                break


def _may_begin_alike(first: Producer, second: Producer) -> bool:
    heads = beginning(first.template), beginning(second.template)
    return heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])


def _common(first: Node, second: Node) -> str | None:
    """The shortest text of both."""
    one, two = [automaton([Path([(0, node)], "")], exact=True) for node in (first, second)]
    found = shortest_common(one, two, lambda left, right: True)
    return None if found is None else found[0]


class Leaked(Rule):
    """Something acquired under one format and released under another: it is never released."""

    code = "CID704"
    title = "acquired under one format, released under another"
    category = "conflict"
    priority = "P0"
    why = "The release finds nothing, says nothing, and what was acquired stays for ever: a leak."
    instead = "keep the ID that it was acquired under, and release that"
    invalid = (
        "def f(self, user_id):\n    self.pool.acquire(f'ws_{user_id}')\n"
        "    self.pool.release(f'websocket_{user_id}')",
        "class A:\n    def f(self, user_id):\n        key = f'ws_{user_id}'\n        self.pool.acquire(key)\n"
        "    def g(self, user_id): self.pool.release('websocket_' + user_id)",
    )
    valid = (
        "def f(self, user_id):\n    self.pool.acquire(f'ws_{user_id}')\n"
        "    self.pool.release(f'ws_{user_id}')",
        "def f(self, key):\n    self.pool.acquire(f'ws_{key}')\n    self.pool.release(key)",
        "class A:\n    def f(self, key):\n        self.pool.acquire(key)\n"
        "        self.pool.acquire(f'ws_{key}')\n"
        "    def g(self, key): self.pool.release(f'lock_{key}')",
        "def f(self, user_id):\n    self.pool.acquire(f'ws_{user_id}')\n"
        "    self.locks.release(f'lock_{user_id}')",
    )

    @classmethod
    def check(cls, repository: Repository) -> Iterator[Drafted]:
        for path, facts in repository.files.items():
            if not facts.holdings or is_test(path):
                continue
            taken: dict[tuple[str, str, str], list[Holding]] = {}
            for each in facts.holdings:
                if not each.releases:
                    taken.setdefault((_whose(each), each.owner, each.verb), []).append(each)
            for each in facts.holdings:
                if not each.releases or len(each.template) < 2:
                    continue
                acquired = taken.get((_whose(each), each.owner, OPPOSITE[each.verb]), [])
                if not acquired or any(_may_be_same(each, one) for one in acquired):
                    continue
                message = (
                    f"releases {shown(each.template)}; what is acquired is {shown(acquired[0].template)}"
                )
                yield (
                    path,
                    Draft(
                        cls.code,
                        each.place,
                        "certain",
                        each.symbol,
                        shown(each.template),
                        message,
                        each.normal,
                    ),
                )


def _whose(holding: Holding) -> str:
    """The class to which the name of the owner belongs; "" for the file."""
    return holding.symbol.partition(".")[0] if holding.owner.startswith("self") else ""


OPPOSITE = {
    "release": "acquire",
    "unregister": "register",
    "deregister": "register",
    "unsubscribe": "subscribe",
    "unlock": "lock",
    "detach": "attach",
    "untrack": "track",
    "unclaim": "claim",
}


def _may_be_same(first: Holding, second: Holding) -> bool:
    """Whether both templates may write the same text, taking fields for anything."""
    return bool(
        re.fullmatch(_as_pattern(first.template), _as_text(second.template))
        or re.fullmatch(_as_pattern(second.template), _as_text(first.template))
    )


def _as_pattern(template: tuple[Part, ...]) -> str:
    return "".join([".+" if part.kind else re.escape(part.text) for part in template])


def _as_text(template: tuple[Part, ...]) -> str:
    return "".join(["\0" if part.kind else part.text for part in template])


RULES = (Unreadable, TwoFormats, Ambiguous, Leaked)
