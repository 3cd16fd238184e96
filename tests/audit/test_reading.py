"""Readers of IDs in awkward places."""

from __future__ import annotations

import textwrap

import pytest

from canonid.audit.facts import FileFacts
from canonid.audit.scanning import scan


def facts(code: str) -> FileFacts:
    found = scan("module.py", textwrap.dedent(code).encode())
    assert found.error == ""
    return found


def readers(code: str) -> list[tuple[str, str]]:
    return [(draft.code, draft.template) for draft in facts(code).drafts if draft.code.startswith("CID4")]


def reasons(code: str) -> list[tuple[str, str]]:
    return [(each.code, each.reason) for each in facts(code).ignored if each.code.startswith("CID4")]


@pytest.mark.parametrize(
    ("code", "shape"),
    [
        ("def f(run_id): a, b, c, d = run_id.split('_')", 'split("_") of 4'),
        ("def f(run_id): a, *b = run_id.split('_')", 'split("_") of 1+'),
        ("def f(run_id): return run_id.split('_')[3]", 'split("_") of 4+'),
        ("def f(run_id): return run_id.split('_')[-2]", 'split("_") of 2+'),
        ("def f(run_id): return run_id.split('_')[0]", 'split("_")'),
        ("def f(run_id): a, b = run_id.rsplit('_', 1)", 'rsplit("_", 1) of 2'),
        ("def f(run_id): a, b = run_id.split('_', maxsplit=1)", 'split("_", 1) of 2'),
        ("def f(run_id):\n p = run_id.split('-')\n assert len(p) == 5\n return p[1]", 'split("-") of 5'),
        ("def f(run_id):\n p = run_id.split('-')\n if len(p) < 3: return\n return p[1]", 'split("-") of 3+'),
        ("def f(run_id):\n p = run_id.split('-')\n if len(p) > 3: return p[2]", 'split("-") of 4+'),
        ("def f(run_id):\n p = run_id.split('-')\n return p[0], p[2]", 'split("-") of 3+'),
        ("def f(x_id):\n p = x_id.split('-')\n return len(p) == 2 or len(p) == 3", 'split("-") of 2 or 3'),
        ("def f(run_id):\n p = run_id.split('-')\n if len(p) == 1: return", 'split("-")'),
        ("def f(run_id):\n p = run_id.split('-')\n p = other()\n a, b = p", 'split("-")'),
        ("def f(run_id): a, _, b = run_id.partition(':')", 'partition(":")'),
        ("def f(run_id):\n if len(parts := run_id.split(':')) != 2: raise ValueError", 'split(":")'),
    ],
)  # fmt: skip
def test_a_split_says_how_many_parts_it_expects(code: str, shape: str) -> None:
    assert readers(code) == [("CID401", shape)]


def test_parts_of_another_function_are_not_counted() -> None:
    code = """
        def f(run_id):
            parts = run_id.split("_")
            return parts
        def g(parts):
            a, b, c = parts
    """
    assert readers(code) == [("CID401", 'split("_")')]


@pytest.mark.parametrize(
    "code",
    [
        "def f(self): return self.thread_id.split('_')[1]",
        "def f(event): return event['thread_id'].split('_')[1]",
        "def f(event): return event.get('threadId').split('_')[1]",
        "def f(event): return getattr(event, 'thread_id').split('_')[1]",
        "def f(thread_id): return str(thread_id).strip().split('_')[1]",
        "def f(thread_id): return (thread_id or '').split('_')[1]",
        "async def f(): return (await thread_id()).split('_')[1]",
        "def f(thread_ids): return [thread_id.split('_')[1] for thread_id in thread_ids]",
        "f = lambda thread_id: thread_id.split('_')[1]",
        "def f(self): return self.get_thread_id().split('_')[1]",
        "def f(thread_id: str | None): return thread_id.split('_')[1]",
        "def f(thread_id): return f\"{thread_id.split('_')[1]}-x\"",
    ],
)
def test_an_id_is_known_by_its_name_wherever_it_comes_from(code: str) -> None:
    assert [found for found, _ in readers(code)] == ["CID401"]


@pytest.mark.parametrize(
    "code",
    [
        "def f(valid): return valid.split('_')[1]",
        "def f(grid, android, paid): return grid[:3], android[:3], len(paid) == 36",
        "def f(user_id: int): return open(f'{user_id}.json')",
        "def f(user_id: list[str]): return user_id[:10]",
        "def f(input_ids, token_id): return input_ids[:10], token_id[:3]",
        "def f(html_id, element_id): return html_id.split('-')[1], element_id.startswith('tab-')",
        "def f(): user_id = int(text); return open(f'{user_id}.json')",
        "import uuid\ndef f(x): return uuid.UUID(x), isinstance(x, uuid.UUID)",
        "def f(x): return id(x).split",
        "import ast\ndef f(node): return node.id.startswith('_')",
        "def f(user_id): return user_id[0], user_id[:]",
        "def f(user_id): return len(user_id), len(user_id) == 0, len(user_id) >= 1",
        "def f(user_ids): return 'user_1' in user_ids",
        "def f(x): return x.startswith('data:'), x.startswith('https://')",
        "from user import run_id\nrun_id.split('_')",
    ],
)
def test_what_only_looks_like_an_id_is_left_alone(code: str) -> None:
    assert readers(code) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def f(user_id): logger.warning('for %s', user_id[:8])", ("CID403", "log line")),
        ("def f(user_id): raise ValueError(f'no user {user_id[:8]}')", ("CID403", "log line")),
        ("class A:\n def __str__(self): return self.run_id[:8]", ("CID403", "log line")),
        ("def f(user_id): title = 'User ' + user_id[:8]", ("CID403", "log line")),
        ("def f(user_id): return data.get(NAME, f'The user {user_id[:8]}')", ("CID403", "log line")),
        ("def f(user_id): print(user_id.split('-')[0])", ("CID401", "log line")),
        ("def f(user_id): return user_id.split(',')", ("CID401", "list of IDs")),
        ("def f(span_id): return len(span_id) == 16", ("CID405", "span ID")),
        ("def f(trace_id): return trace_id[:16]", ("CID403", "span ID")),
    ],
)
def test_what_is_no_reader_has_a_reason(code: str, reason: tuple[str, str]) -> None:
    assert readers(code) == []
    assert reasons(code) == [reason]


def test_a_part_that_becomes_another_id_is_not_shown_to_people() -> None:
    assert readers("def f(message_id, n): message_id = message_id[n:]") == [("CID403", "n:")]
    assert readers("def f(nic_id): nic_name = nic_id.split('/')[-1]") == [("CID401", 'split("/")')]


@pytest.mark.parametrize(
    "code",
    [
        "UUID_RE = re.compile(r'^[0-9a-f]{8}-[0-9a-f]{4}-')",
        "import re\nX = re.compile('[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}')",
        "import re\nrun_id_pattern = re.compile('^run_.*$')",
        "import re\nclass A:\n RUN_ID_REGEX = '^run_.*$'",
        "from re import fullmatch\ndef f(run_id): return fullmatch('[a-z]+', run_id)",
        "def f(self, run_id): return self._pattern.match(run_id)",
        "run_id = Query(regex='^run_[0-9]+$')",
        "import re\nTHREAD = re.compile('^thread_')\ndef f(thread_id): return THREAD.match(thread_id)",
        "import re\ndef f(run_id): return re.sub('^run_', '', run_id)",
    ],
)
def test_patterns_for_ids(code: str) -> None:
    assert [found for found, _ in readers(code)] == ["CID404"]


@pytest.mark.parametrize(
    "code",
    [
        "TRACEPARENT = re.compile('^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$')",
        "KEY = re.compile('dapi[0-9a-f]{32}')",
        "options = {'filter_id_regex': ['.*']}",
        "def f(run_id): return re.sub('x', run_id, text)",
        "def f(run_id): return re.match(run_id, text)",
        "def f(router, run_id): return router.match(run_id)",
    ],
)
def test_other_patterns_are_left_alone(code: str) -> None:
    assert readers("import re\n" + code) == []


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("def f(user_id): sql = f\"DELETE FROM t WHERE user_id = '{user_id}'\"", "SQL"),
        ("def f(self): self.cursor.execute('SELECT a FROM b WHERE c = \"%s\"' % self.user_id)", "SQL"),
        ("def f(user_id): q = text('SELECT a FROM b WHERE c = {}'.format(user_id))", "SQL"),
        ("def f(user_id): session.execute('SELECT a FROM b WHERE c = ' + user_id)", "SQL"),
        ("def f(user_id): return requests.get(f'https://example.org/{user_id}')", "a URL"),
        ("def f(user_id): return f'https://example.org/users?id={user_id}'", "a URL"),
        ("def f(user_id): client.request('GET', '/users/' + user_id)", "a URL"),
        ("def f(self): return self.http.post(url=f'{self.base_url}/users/{self.user.id}')", "a URL"),
        ("import os.path\ndef f(root, run_id): return os.path.join(root, f'{run_id}.json')", "a path"),
        ("from os.path import join\ndef f(root, run_id): return join(root, str(run_id))", "a path"),
        ("def f(self, run_id): return self.cache_dir / run_id / 'a.txt'", "a path"),
        ("def f(root, run_id): return root.joinpath('runs', run_id)", "a path"),
        ("def f(run_id): file_name = f'{run_id}.json'", "a path"),
        ("def f(run_id): log_path = '/var/log/%s' % run_id", "a path"),
        ("def f(run_id): return FileResponse(f'/srv/runs/{run_id}.pdf')", "a path"),
    ],
)
def test_an_id_put_in_as_it_is(code: str, what: str) -> None:
    assert readers(code) == [("CID408", what)]


@pytest.mark.parametrize(
    "code",
    [
        "def f(user_id): return requests.get(f'https://example.org/{quote(user_id)}')",
        "def f(safe_user_id): return requests.get(f'https://example.org/{safe_user_id}')",
        "def f(user_id): return requests.get('https://example.org', params={'id': user_id})",
        "def f(user_id): cursor.execute('SELECT a FROM b WHERE c = %s', [user_id])",
        "def f(id_column): sql = f'SELECT {id_column} FROM users'",
        "def f(pk): sql = f'SELECT a FROM b WHERE {pk} = 1'",
        "@app.get(f'/users/{user_id}')\ndef f(user_id): ...",
        "def f(user_id): raise ValueError(f'no https://example.org/{user_id}')",
        "def f(user_id): assert x == f'/users/{user_id}'",
        "def f(user_id): message = f'Select {user_id} FROM the list'",
        "def f(total, user_id): return total / user_id",
        "def f(user_id): return cache.get(f'user/{user_id}/x')",
        "def f(user_id): url = f'/users/{len(user_id)}'",
        "def f(user_id): url = '/users/%d' % user_id",
    ],
)
def test_what_is_escaped_or_none_of_these(code: str) -> None:
    assert [found for found, _ in readers(code) if found == "CID408"] == []


def test_a_file_name_within_a_path_is_one_finding() -> None:
    code = "import os\ndef f(folder, run_id): path = os.path.join(folder, f'{run_id}.json')"
    assert readers(code) == [("CID408", "a path")]


def test_one_url_of_two_ids_is_one_finding() -> None:
    code = "def f(thread_id, run_id): url = f'{base}/threads/{thread_id}/runs/{run_id}'"
    assert readers(code) == [("CID408", "a URL")]


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("def f(thread_id, run_id): return str(thread_id) != str(run_id)", 1),
        ("def f(thread, run): return thread.id == run.id", 1),
        ("def f(event, user_id): return event['session_id'] == user_id", 1),
        ("def f(task_id, run_ids): return task_id not in run_ids", 1),
        ("def f(old_id, new_id): return old_id == new_id", 0),
        ("def f(run, source_run_id): return run.id == source_run_id", 0),
        ("def f(dag_run_id, run_id): return dag_run_id == run_id", 0),
        ("def f(a, user_id): return a.id == user_id", 0),
        ("def f(self, user_id): return self.id == user_id", 0),
        ("def f(user_id): return user_id == 'user_id'", 0),
    ],
)
def test_ids_of_different_kinds_compared(code: str, count: int) -> None:
    assert [found for found, _ in readers(code)] == ["CID407"] * count


def test_a_uuid_of_what_was_made_here_is_no_reader() -> None:
    code = """
        import uuid
        def f(raw):
            run_id = str(uuid.uuid4())
            return uuid.UUID(run_id), uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), uuid.UUID(raw)
    """
    assert readers(code) == []


def test_readers_of_well_named_ids_are_no_questions() -> None:
    code = "def f(user_id): return user_id.isdigit(), user_id.split('-')[0], user_id[:4], len(user_id) == 36"
    found = {draft.code: draft.confidence for draft in facts(code).drafts}
    assert found == {"CID409": "likely", "CID401": "certain", "CID403": "certain", "CID405": "certain"}
