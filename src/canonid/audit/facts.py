"""What one file says, found without looking at any other. It depends on the file's name and bytes alone."""

from __future__ import annotations

from typing import NamedTuple

from canonid.audit.findings import Draft, Ignored, Place


class Directive(NamedTuple):
    """A comment `# canonid: ignore[CODE, …] reason` on a line of its own code."""

    line: int
    codes: tuple[str, ...]
    reason: str
    first: int = 0  # where the statement begins that ends on this line; 0 where the line is all it is about


class Part(NamedTuple):
    """A piece of a template: a literal text where `kind` is "", else a field of that kind."""

    kind: str
    text: str
    bits: float = 0.0


class Signature(NamedTuple):
    """What a call must give. The first parameter of a method is in it, as `self` and `cls` are parameters."""

    positional: tuple[str, ...]  # in order
    named: tuple[str, ...]  # those that may be given by name
    required: tuple[str, ...]  # those without a default
    more_positional: bool  # *args
    more_named: bool  # **kwargs


class Definition(NamedTuple):
    """Something that makes IDs, or belongs to what does: a class, a method, a function, an enum, an instance.

    Dotted names that begin with ":" are of the same file; "()" after one stands for what calling it gives.
    """

    symbol: str  # "Class.method"
    form: str  # "function", "method", "static", "classmethod", "class", "enum", "instance" or "value"
    place: Place
    certain: bool  # nothing but its own text says what it is and takes: no decorator, no second definition
    makes: bool  # whether it makes IDs, as its name or what it returns says
    signature: Signature | None = None
    template: tuple[Part, ...] = ()  # of what it returns
    gives: str = ""  # the dotted name of what it returns or is an instance of
    bases: tuple[str, ...] = ()  # of a class, as dotted names; "?" for one that can't be told
    names: tuple[str, ...] = ()  # of a class: all its attributes
    claim: str = ""  # the words by which it says that it is the only one
    source: bool = False  # whether something that varies is made in it


class Mention(NamedTuple):
    """A place that calls, names or imports what may make IDs. `target` is a dotted name as above."""

    how: str  # "call", "member" or "import"
    target: str
    place: Place
    symbol: str
    normal: str
    positional: int = 0  # arguments by position
    named: tuple[str, ...] = ()  # arguments by name
    open: bool = False  # there may be more arguments: *args, **kwargs
    guarded: bool = False  # failing is expected: within try, pytest.raises or behind hasattr
    reason: str = ""  # why what it gives is no ID, such as "nonce"
    typed: bool = False  # that it is an instance of that class is only said by an annotation


class Production(NamedTuple):
    """A text that is made as an ID of some kind: "thread" for `thread_id = f"thread_{ms}"`."""

    kind: str
    template: tuple[Part, ...]
    place: Place
    symbol: str
    normal: str


class Holding(NamedTuple):
    """A call that takes something under an ID, or gives it back."""

    releases: bool
    owner: str  # what it is called on, as "self.registry"
    verb: str
    template: tuple[Part, ...]
    place: Place
    symbol: str
    normal: str


class FileFacts(NamedTuple):
    """All of it is made of texts, numbers and tuples, so that it can be kept and sent by `marshal`."""

    path: str  # relative to the root, with `/`
    lines: int
    error: str = ""  # why it could not be parsed; then there is nothing else
    drafts: tuple[Draft, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    directives: tuple[Directive, ...] = ()
    definitions: tuple[Definition, ...] = ()
    exports: tuple[tuple[str, str], ...] = ()  # names of the module that stand for something of another one
    names: tuple[str, ...] = ()  # all names of the module, if it defines something that makes IDs
    stars: tuple[str, ...] = ()  # modules of which it takes all names
    mentions: tuple[Mention, ...] = ()
    changed: tuple[str, ...] = ()  # names of attributes that are set from outside; "*" if that can't be told
    productions: tuple[Production, ...] = ()
    holdings: tuple[Holding, ...] = ()
    tokens: tuple[Production, ...] = ()  # UUIDs and the like that are an ID of some kind as they are
