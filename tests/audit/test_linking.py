"""What only all files together show."""

import tomllib
from pathlib import Path

import pytest

from canonid.audit import scanning
from canonid.audit.linking import link
from canonid.audit.rules import OF_REPOSITORIES
from canonid.audit.scanning import scan

PROJECTS = sorted((Path(__file__).parent / "projects").iterdir())
CODES = {rule.code for rule in OF_REPOSITORIES}


def linked(texts, root="."):
    facts = [scan(path, text.encode()) for path, text in texts.items()]
    assert not [each.error for each in facts if each.error]
    return link(root, facts)


def of_project(folder):
    return {path.relative_to(folder).as_posix(): path.read_text() for path in sorted(folder.rglob("*.py"))}


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_a_project_has_what_its_labels_say_and_nothing_else(project):
    texts = of_project(project)
    found = [each for each in linked(texts).findings if each.code in CODES]
    expected = [tuple(each) for each in tomllib.loads((project / "labels.toml").read_text())["findings"]]
    seen = []
    for each in found:
        line = texts[each.path].splitlines()[each.line - 1]
        label = next(
            (label for label in expected if label[:2] == (each.code, each.path) and label[2] in line), None
        )
        assert label, f"{each.code} {each.path}:{each.line} {each.message}: {line.strip()}"
        seen.append(label)
    assert sorted(set(expected) - set(seen)) == []
    assert len(seen) == len(expected)


def test_the_order_of_files_changes_nothing():
    texts = of_project(PROJECTS[1])
    facts = [scan(path, text.encode()) for path, text in texts.items()]
    assert link(".", facts) == link(".", reversed(facts))


MANAGER = """
from typing import Self

class IdManager:
    @classmethod
    def shared(cls) -> Self: ...
    def new_id(self, kind): ...
"""


@pytest.mark.parametrize(
    "call",
    [
        "from app.ids import IdManager\nIdManager.shared().new_id()",
        "from app import ids\nids.IdManager().new_id()",
        "import app.ids\napp.ids.IdManager().new_id()",
        "import app.ids as made\nmade.IdManager().new_id()",
        "def f():\n    from app.ids import IdManager\n    manager = IdManager()\n    return manager.new_id()",
        "from app.ids import IdManager as M\nclass A:\n    def __init__(self): self.ids = M()\n"
        "    def f(self): self.ids.new_id()",
        "from app.ids import IdManager\nmaker = IdManager\nmaker().new_id()",
        "from app import IdManager\nIdManager().new_id()",
        "from .ids import IdManager\nIdManager().new_id()",
        "from . import IdManager\nIdManager().new_id()",
        "from app.all import IdManager\nIdManager().new_id()",
        "from app.ids import IdManager\nfrom app.ids import IdManager, sys\nIdManager().new_id()",
        "from app import IdManager\nfrom app.ids import IdManager\ndef f(): IdManager().new_id()",
        "import app.ids\nimport app.all\napp.ids.IdManager().new_id()",
        "def f():\n    from app.ids import IdManager\n    from app.ids import IdManager\n    IdManager()"
        ".new_id()",
    ],
)
def test_a_broken_call_is_found_however_its_maker_is_reached(call):
    texts = {
        "app/ids.py": MANAGER,
        "app/__init__.py": "from .ids import IdManager\n",
        "app/all.py": "from app.ids import *\n",
        "app/use.py": call,
    }
    assert [(each.code, each.path) for each in linked(texts).findings] == [("CID603", "app/use.py")]


@pytest.mark.parametrize("root", ["src/", "services/one/src/", "app-1.0/"])
def test_a_package_may_lie_anywhere_below_the_root(root):
    texts = {f"{root}app/__init__.py": "", f"{root}app/ids.py": MANAGER}
    texts[f"{root}app/use.py"] = "from app.ids import IdManager\nIdManager().new_id()"
    assert [each.code for each in linked(texts).findings] == ["CID603"]


def test_the_root_may_be_the_package():
    texts = {
        "__init__.py": "",
        "ids.py": MANAGER,
        "use.py": "from app.ids import IdManager\nIdManager().new_id()",
    }
    assert [each.code for each in linked(texts, "/app").findings] == ["CID603"]


def test_a_module_of_the_package_is_not_taken_for_one_of_a_library():
    texts = {
        "app/__init__.py": "",
        "app/uuid.py": "def uuid4(): ...",
        "app/use.py": "import uuid\nx = uuid.uuid4(1)",
    }
    assert [each.code for each in linked(texts).findings] == ["CID101"]


def test_of_two_modules_of_one_name_the_nearer_one_is_meant():
    texts = {
        "one/app/ids.py": "def generate_id(kind): ...",
        "two/app/ids.py": "def generate_id(): ...",
        "two/app/use.py": "from app.ids import generate_id\ngenerate_id()",
        "one/app/use.py": "from app.ids import generate_id\ngenerate_id()",
    }
    assert [each.path for each in linked(texts).findings] == ["one/app/use.py"]


def test_a_parameter_may_be_called_as_the_module_of_its_class():
    code = b"import run\ndef new_run_id(run: run.Run): return f'run_{run.node.name()}'\n"
    assert scan("app/ids.py", code).error == ""


def test_names_that_import_each_other_in_a_circle_stand_for_nothing():
    texts = {
        "a.py": "from b import generate_id\ngenerate_id(1)",
        "b.py": "from a import generate_id\ngenerate_id(1)",
    }
    assert not linked(texts).findings


def test_an_ignored_call_is_left_out():
    texts = {"x.py": "def generate_id(kind): ...\nx = generate_id()  # canonid: ignore[CID603] on purpose"}
    report = linked(texts)
    assert not report.findings
    assert [each.what.code for each in report.ignored] == ["CID603"]


class TestSystems:
    def table(self, name="chat"):
        texts = of_project(next(each for each in PROJECTS if each.name == name))
        return {each.name: each for each in linked(texts).systems}

    def test_each_is_counted_by_files_and_calls_apart_from_tests(self):
        manager = self.table()["UnifiedIDManager"]
        assert (manager.files, manager.calls) == (2, 10)
        assert (manager.test_files, manager.test_calls) == (1, 4)
        assert manager.services == (("backend", 7), ("auth_service", 3))

    def test_each_has_the_templates_that_it_writes(self):
        written = self.table()["UnifiedIdGenerator"].templates
        assert {"thread-{uuid}", "ws_client_{value}_{ms}_{hex8}"} < set(written)

    def test_the_most_widely_used_is_the_cheapest_primary(self):
        table = self.table()
        assert [each.name for each in table.values() if each.primary] == ["UnifiedIDManager"]
        assert "10 calls" in table["UnifiedIDManager"].why

    def test_calls_of_uuid_on_the_spot_are_a_system_without_a_place(self):
        texts = {
            "a.py": "import uuid\nuser_id = uuid.uuid4()",
            "tests/test_a.py": "import uuid\nx_id = uuid.uuid4()",
        }
        (bare,) = linked(texts).systems
        assert (bare.name, bare.path, bare.calls, bare.test_calls) == ("bare UUIDs", "", 1, 1)


class TestServices:
    def test_one_that_is_declared_is_a_folder_of_its_name(self, tmp_path):
        (tmp_path / "canonid.toml").write_text("[services.web]\n[services.user-store]\n")
        texts = {
            "web/a.py": "from user_store.ids import generate_user_id\n",
            "user_store/ids.py": "import uuid\ndef generate_user_id(): return str(uuid.uuid4())",
        }
        assert "CID801" in [each.code for each in linked(texts, str(tmp_path)).findings]
        assert "CID801" not in [each.code for each in linked(texts).findings]

    def test_a_service_alone_has_no_boundary(self):
        texts = {
            "web/main.py": "from store.ids import generate_user_id\n",
            "store/ids.py": "import uuid\ndef generate_user_id(): return str(uuid.uuid4())",
        }
        assert "CID801" not in [each.code for each in linked(texts).findings]


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.name)
def test_what_is_told_without_a_tree_is_all_that_matters(project, monkeypatch):
    texts = of_project(project)
    quick = linked(texts)
    monkeypatch.setattr(scanning, "concerns_others", lambda data: True)
    assert linked(texts).findings == quick.findings


@pytest.mark.parametrize("pattern", ["(a+)+b", ".*" * 30 + "!", ".?" * 60 + "." * 90, "(?:a|a)" * 28 + "b"])
def test_a_pattern_that_might_take_for_ever_is_not_tried(pattern):
    texts = {
        "ids.py": f"import uuid\ndef generate_run_id(): return f'{'a' * 60}_{{uuid.uuid4().hex[:8]}}'",
        "use.py": f"import re\ndef f(run_id): return re.fullmatch('{pattern}', run_id)",
    }
    assert "CID701" not in [each.code for each in linked(texts).findings]


@pytest.mark.parametrize(
    "more",
    [
        "def __getattr__(name): ...",
        "globals()['generate_run_id'] = generate_id",
        "import sys\nsetattr(sys.modules[__name__], name, generate_id)",
        "from somewhere import *",
        "def f():\n    global generate_run_id\n    generate_run_id = generate_id",
        "if fast:\n    def generate_run_id(): ...",
        "try:\n    from fast import generate_run_id\nexcept ImportError:\n    generate_run_id = generate_id",
    ],
)
def test_a_module_that_may_have_more_names_than_its_text_lacks_none(more):
    texts = {
        "ids.py": f"def generate_id(): ...\n{more}\n",
        "use.py": "from ids import generate_run_id\ngenerate_run_id()",
    }
    assert not linked(texts).findings
    lacking = {
        "ids.py": "import sys\nhere = sys.modules.get('x')\ndef generate_id(): ...\n",
        "use.py": texts["use.py"],
    }
    assert [each.code for each in linked(lacking).findings] == ["CID601"]


REGISTRY = """
[kinds.user]
[formats.old]
pattern = "{kind}-{id:hex(32)}"
kinds = ["user"]
[services.auth]
emits = { user = "old" }
[services.billing]
"""
SERVICES = {
    "auth/main.py": "import uuid\ndef generate_user_id(): return f'user-{uuid.uuid4().hex}'\n",
    "billing/main.py": (
        "from auth.main import generate_user_id\nx = generate_user_id()\n"
        "def f(user_id): kind, shop, number = user_id.split('-')\n"
    ),
}


@pytest.mark.parametrize(
    ("accepts", "lines"),
    [
        ("", [3]),  # all formats come in, and the reader can't read them
        ('accepts = ["typeid", "old"]', [3]),
        ('accepts = ["typeid"]', [2]),  # the old format never comes in, but is asked for
    ],
)
def test_what_a_service_accepts_settles_what_it_must_read(tmp_path, accepts, lines):
    (tmp_path / "canonid.toml").write_text(REGISTRY + accepts)
    found = linked(SERVICES, str(tmp_path)).findings
    assert [each.line for each in found if each.code == "CID802"] == lines
    assert [each.line for each in found if each.code == "CID801"] == [1]


def test_a_registry_with_faults_still_names_its_services(tmp_path):
    (tmp_path / "canonid.toml").write_text(REGISTRY + 'accepts = ["typeid", "unknown"]')
    assert [each.line for each in linked(SERVICES, str(tmp_path)).findings if each.code == "CID802"] == [3]
    assert linked(SERVICES, str(tmp_path)).services == ["auth", "billing"]


@pytest.mark.parametrize("time", ["int(time.time() * 1000)", "int(time.time() * 1000) % 100000"])
@pytest.mark.parametrize(
    "random", ["uuid.uuid4().hex[:8]", "secrets.token_hex(4)", "secrets.token_hex(8)[:6]"]
)
def test_a_reader_that_expects_more_parts_than_are_written(time, random):
    texts = {
        "ids.py": "import secrets, time, uuid\nclass Generator:\n    @staticmethod\n"
        f"    def generate_thread_id():\n        return f'thread_{{{time}}}_{{{random}}}'\n",
        "use.py": "def environment(thread_id):\n    _, env, ms, rnd = thread_id.split('_')\n    return env",
    }
    told = [each.message for each in linked(texts).findings if each.code == "CID701"]
    assert [each.partition(";")[0] for each in told] == ["expects 4 parts, gets 3"]
