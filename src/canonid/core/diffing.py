"""Two versions of a registry → what stays compatible, and what breaks those who read or mint IDs.

Readers break where a text that the old version accepted is refused, gets other fields, or names another
thing, or no one thing; where their service no longer accepts a format; and where what is stored (canonical
IDs, parents) no longer fits. Producers break where they may no longer mint what they did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from canonid.core.automata import automaton, shortest_common
from canonid.core.grammar import fields
from canonid.core.inclusion import Undecided, common, shortest_missing
from canonid.core.overlaps import may_differ, may_share_a_text
from canonid.core.producing import producers
from canonid.core.registry import Registry
from canonid.core.rewritten import Rewrite, field_changes, refused, resplit, widened
from canonid.core.strength import rate_words
from canonid.core.values import Format, Identity, Kind, Service
from canonid.core.writing import Writing
from canonid.errors import show


class Change(NamedTuple):
    """One difference, with its TOML path. `text` is the shortest ID that shows it, where one does."""

    path: str
    breaking: bool
    sentence: str
    text: str | None = None


def diff(old: Registry, new: Registry) -> list[Change]:
    """Every change from one version to the next: of kinds, of formats, of services.

    What is said of texts is proven, not sampled: a format that is not said to refuse a text reads every
    one that it did. Takes some 0.1 s for each changed format and kind, some seconds in all where patterns
    with several long slugs overlap. Raises TypeError for what is no Registry.

    >>> old = Registry.from_toml('[kinds.user]\\n[formats.own]\\npattern = "{kind}-{n:int}"')
    >>> new = Registry.from_toml('[kinds.user]\\n[formats.own]\\npattern = "{kind}-{n:int(1..9)}"')
    >>> [(change.path, change.breaking, change.text) for change in diff(old, new)]
    [('formats.own.pattern', True, 'user-0')]
    """
    for registry in (old, new):
        if not isinstance(registry, Registry):
            raise TypeError(f"expected a Registry, got {type(registry).__name__}")
    both = _Versions(old, new)
    return [*both.kinds(), *both.formats(), *both.services()]


class _Versions:
    def __init__(self, old: Registry, new: Registry) -> None:
        self.old, self.new = old, new
        self.was, self.now = _grouped(old), _grouped(new)

    # Kinds

    def kinds(self) -> Iterator[Change]:
        owners = {prefix: kind.name for kind in self.old.kinds.values() for prefix in _prefixes(kind)}
        for name in self.old.kinds:
            if name not in self.new.kinds:
                yield Change(f"kinds.{name}", True, "is gone, and its IDs are no longer read")
        for name, kind in self.new.kinds.items():
            before = self.old.kinds.get(name)
            for prefix in _prefixes(kind):
                if owners.get(prefix, name) != name:
                    key = "prefix" if prefix == kind.prefix else "retired_prefixes"
                    sentence = f"{prefix!r} is re-used: it stands in IDs of kind {owners[prefix]!r}"
                    yield Change(f"kinds.{name}.{key}", True, sentence)
            if before is None:
                yield Change(f"kinds.{name}", False, "is new")
            else:
                yield from self.prefixes(before, kind)
                yield from self.kind(before, kind)

    def prefixes(self, before: Kind, kind: Kind) -> Iterator[Change]:
        path = f"kinds.{kind.name}"
        if before.prefix != kind.prefix and before.prefix in kind.retired_prefixes:
            sentence = _was(before.prefix, kind.prefix)
            sentence += f"; IDs with {before.prefix!r} still name the same things"
            if self.now[kind.canonical, kind.name][0].payload is not None:
                sentence += f", but their canonical ones begin with {kind.prefix!r}: rewrite what is stored"
            yield Change(f"{path}.prefix", False, sentence)
        for prefix in _dropped(before, kind):
            key = "prefix" if prefix == before.prefix else "retired_prefixes"
            sentence = f'IDs with {prefix!r} are no longer read; keep it with retired_prefixes = ["{prefix}"]'
            yield Change(f"{path}.{key}", True, sentence)
        for prefix in kind.retired_prefixes:
            if prefix not in _prefixes(before):
                yield Change(f"{path}.retired_prefixes", False, f"IDs with {prefix!r} are read as well")

    def kind(self, before: Kind, kind: Kind) -> Iterator[Change]:
        path = f"kinds.{kind.name}"
        if before.parent != kind.parent:
            sentence = f"{_was(before.parent, kind.parent)}; recorded lineage says otherwise"
            yield Change(f"{path}.parent", True, sentence)
        if before.canonical != kind.canonical:
            sentence = f"{_was(before.canonical, kind.canonical)}; every canonical ID is another text now"
            yield Change(f"{path}.canonical", True, sentence)
        if kind.retired and not before.retired:
            yield Change(f"{path}.retired", True, "its IDs are still read, but minting one raises now")
        elif before.retired and not kind.retired:
            yield Change(f"{path}.retired", False, "is minted again")
        if before.writer != kind.writer:
            lost = self.lost_producers(before, kind)
            sentence = _was(before.writer, kind.writer)
            sentence += f"; {', '.join(lost)} may no longer mint one" if lost else ""
            yield Change(f"{path}.writer", bool(lost), sentence)
        if before.private != kind.private:
            tell = "no longer tell" if kind.private else "may tell"
            yield Change(f"{path}.private", False, f"new IDs {tell} when they were made")
        if before.rate != kind.rate:
            was, now = (rate and rate_words(rate) for rate in (before.rate, kind.rate))
            yield Change(f"{path}.rate", False, _was(was, now))
        if before.description != kind.description:
            yield Change(f"{path}.description", False, "says something else")

    def lost_producers(self, before: Kind, kind: Kind) -> list[str]:
        left = {service.name for service in producers(kind, self.new.services)}
        return [s.name for s in producers(before, self.old.services) if s.name not in left]

    # Formats

    def formats(self) -> Iterator[Change]:
        for name in self.old.formats:
            if name not in self.new.formats:
                yield Change(f"formats.{name}", True, "is gone, and its IDs are no longer read")
        for name, form in self.new.formats.items():
            before = self.old.formats.get(name)
            if before is None:
                yield Change(f"formats.{name}", False, "is new")
            else:
                yield from self.format(before, form)
            yield from self.confused(form)

    def format(self, before: Format, form: Format) -> Iterator[Change]:
        path = f"formats.{form.name}"
        for kind in before.kinds:
            if kind not in form.kinds and kind in self.new.kinds:
                yield Change(f"{path}.kinds", True, f"{kind} IDs are no longer read in this format")
        for kind in form.kinds:
            if kind not in before.kinds and kind in self.old.kinds:
                yield Change(f"{path}.kinds", False, f"{kind} IDs are written so as well")
        kinds = [kind for kind in before.kinds if kind in form.kinds and kind in self.new.kinds]
        if kinds and before.source != form.source:
            for rewrite in field_changes(self.was[form.name, kinds[0]][0], self.now[form.name, kinds[0]][0]):
                yield Change(f"{path}.pattern", *rewrite)
        key = "prefixes" if before.source == form.source and before.prefixes != form.prefixes else "pattern"
        found = [(kind, rewrite) for kind in kinds for rewrite in self.texts(kind, before, form)]
        for rewrite in _together(found, form):
            yield Change(f"{path}.{key}", *rewrite)
        if before.overlaps != form.overlaps:
            yield Change(f"{path}.overlaps", False, f"now {', '.join(sorted(form.overlaps)) or 'none'}")
        if before.description != form.description:
            yield Change(f"{path}.description", False, "says something else")

    def texts(self, kind: str, before: Format, form: Format) -> Iterator[Rewrite]:
        """What becomes of the texts of one kind, but for what its prefixes explain, which is told there."""
        declared_anew = before.source != form.source or before.prefixes.get(kind) != form.prefixes.get(kind)
        if not declared_anew and all(field.type != "id" for field in fields(form.pattern)):
            return
        was, now = self.was[form.name, kind], self.now[form.name, kind]
        by_prefix = kind not in before.prefixes and any(f.type == "kind" for f in fields(before.pattern))
        dropped = _dropped(self.old.kinds[kind], self.new.kinds[kind]) if by_prefix else []
        kept = [writing for writing in was if writing.prefix not in dropped]
        if not kept:
            return
        if found := refused(kept, now):
            yield found
        elif declared_anew:
            yield widened(kept, now)
        if before.source != form.source:
            yield from filter(None, (resplit(w, n) for w in kept for n in now))

    def confused(self, form: Format) -> Iterator[Change]:
        """Texts that had one answer, and have none or another because of what this format reads anew."""
        for kind in form.kinds:
            known = {writing.node for writing in self.was.get((form.name, kind), ())}
            for writing in self.now[form.name, kind]:
                if writing.node not in known and (found := self.newly_read(writing)):
                    yield found

    def newly_read(self, writing: Writing) -> Change | None:
        place = writing.format, writing.kind
        if place in self.was and not refused([writing], self.was[place]):
            return None
        path = f"formats.{writing.format}"
        for other in self.old.declarations.writings:
            its_place = other.format, other.kind
            if its_place == place or its_place not in self.now or not _may_clash(other, writing):
                continue
            try:
                text = self.unambiguous_before(other, writing)
            except Undecided:
                what = f"whether it reads texts of format {other.format!r} is too much to prove"
                return Change(path, True, what)
            if text is not None:
                if other.kind == writing.kind:
                    what = f"{show(text)} ({other.format}) may now name another {other.kind}"
                else:
                    what = (
                        f"{show(text)} was {other.kind} only and may now be {writing.kind}; without its kind"
                        " it has no answer"
                    )
                return Change(path, True, what, text)
        return None

    def unambiguous_before(self, old: Writing, new: Writing) -> str | None:
        """The shortest text of both that nothing else read before as another thing."""
        if shortest_common(old.automaton, new.automaton, lambda a, b: True) is None:
            return None
        both = common(old.exact_automaton, new.exact_automaton)
        # Another prefix of the same kind and format reads the same thing.
        place = old.format, old.kind
        others = [
            w for w in self.old.declarations.writings if (w.format, w.kind) != place and _may_clash(w, old)
        ]
        # Most others don't matter. Each round leaves out the texts of those that read the last one found.
        known = [w for w in others if (w.format, w.kind) == (new.format, new.kind)]
        while True:
            paths = [path for w in known for path in w.paths("read")]
            text = shortest_missing(both, automaton(paths, exact=True))
            if text is None:
                return None
            readers = [w for w in others if w.fields_of(text) is not None]
            if not readers:
                return text
            known += readers

    # Services

    def services(self) -> Iterator[Change]:
        for name in self.old.services:
            if name not in self.new.services:
                yield Change(f"services.{name}", True, "is gone, and mints and accepts nothing any more")
        for name, service in self.new.services.items():
            before = self.old.services.get(name)
            if before is None:
                yield Change(f"services.{name}", False, "is new")
                continue
            yield from self.accepted(before, service)
            yield from self.emitted(before, service)
            if before.description != service.description:
                yield Change(f"services.{name}.description", False, "says something else")

    def accepted(self, before: Service, service: Service) -> Iterator[Change]:
        path = f"services.{service.name}.accepts"
        for form in self.old.formats:
            if form in (before.accepts - service.accepts) & self.new.formats.keys():
                yield Change(path, True, f"format {form!r} is no longer accepted")
            if form in service.accepts - before.accepts:
                yield Change(path, False, f"format {form!r} is accepted as well")

    def emitted(self, before: Service, service: Service) -> Iterator[Change]:
        for kind in self.new.kinds.values():
            path = f"services.{service.name}.emits.{kind.name}"
            was, now = before.emits.get(kind.name, ()), service.emits.get(kind.name, ())
            if was == now or kind.name not in self.old.kinds:
                continue
            if not was:
                yield Change(path, False, f"is emitted now, as {', '.join(now)}")
            elif not now:
                told = kind.retired or kind.writer != self.old.kinds[kind.name].writer
                lost = service.name in self.lost_producers(self.old.kinds[kind.name], kind) and not told
                yield Change(path, lost, "is no longer minted here" if lost else "is no longer emitted")
            else:
                yield from self.emitted_as(path, kind.name, before, service)

    def emitted_as(self, path: str, kind: str, before: Service, service: Service) -> Iterator[Change]:
        was, now = before.emits[kind], service.emits[kind]
        sentence = _was(", ".join(was), ", ".join(now))
        problems = [
            f"service {other.name!r} accepted {was[0]!r} and does not accept {form!r}"
            for form in now
            for other in self.new.services.values()
            if (form not in was or form == now[0] != was[0])
            and form not in other.accepts
            and other.name in self.old.services
            and was[0] in self.old.services[other.name].accepts
        ]
        texts = [text for form in was if form not in now for text in self.unsettled(form, kind, service.name)]
        problems += [f"{show(text)} from here is no longer taken for {kind}" for text in texts]
        yield Change(path, bool(problems), "; ".join([sentence, *problems]), texts[0] if texts else None)

    def unsettled(self, form: str, kind: str, service: str) -> Iterator[str]:
        """An ambiguous text that had an answer as long as the service emitted the format."""
        if (form, kind) not in self.now:
            return
        own = self.was[form, kind][0].automaton
        for other in self.new.declarations.writings:
            found = shortest_common(own, other.automaton, lambda a, b: True)
            if found and _answer(self.old, found[0], service) and not _answer(self.new, found[0], service):
                yield found[0]
                return


def _grouped(registry: Registry) -> Mapping[tuple[str, str], Sequence[Writing]]:
    """The writings of each format × kind; what is written comes before what is only read."""
    groups: dict[tuple[str, str], list[Writing]] = {}
    for writing in registry.declarations.writings:
        groups.setdefault((writing.format, writing.kind), []).append(writing)
    return groups


def _prefixes(kind: Kind) -> tuple[str, ...]:
    return kind.prefix, *kind.retired_prefixes


def _dropped(before: Kind, kind: Kind) -> list[str]:
    return [prefix for prefix in _prefixes(before) if prefix not in _prefixes(kind)]


def _may_clash(a: Writing, b: Writing) -> bool:
    return may_differ(a, b) and may_share_a_text(a, b)


def _together(found: Sequence[tuple[str, Rewrite]], form: Format) -> Iterator[Rewrite]:
    """One rewrite in place of those that say the same of several kinds, with the text of the first kind."""
    alike: dict[str, list[tuple[str, Rewrite]]] = {}
    for kind, rewrite in found:
        said = rewrite.sentence.replace(show(rewrite.text), "")
        alike.setdefault(said, []).append((kind, rewrite))
    for group in alike.values():
        rewrite = group[0][1]
        kinds = f" ({', '.join(kind for kind, _ in group)})" if len(form.kinds) > 1 else ""
        yield rewrite._replace(sentence=rewrite.sentence + kinds)


def _answer(registry: Registry, text: str, service: str) -> Identity | None:
    return registry.recognise(text, service=service).answer


def _was(before: object, now: object) -> str:
    return f"was {before or 'none'}, is {now or 'none'}"
