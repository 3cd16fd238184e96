"""What earlier audits found."""

import os
import threading

import pytest

from canonid.audit import cache as caching
from canonid.audit.cache import Cache, Entry, default_folder
from canonid.audit.examining import stamp_of
from canonid.audit.facts import Directive, FileFacts
from canonid.audit.findings import Draft, Ignored, Place
from canonid.audit.packing import pack, unpack

PLACE = Place(1, 2, 3, 4)
FACTS = FileFacts(
    "a\udcff.py",
    3,
    "",
    (Draft("CID101", PLACE, "likely", "A.b", "x_{ms}", "makes", "uuid4()"),),
    (Ignored("CID101", PLACE, "", "nonce"),),
    (Directive(1, ("CID101", "CID102"), "why"),),
)
ENTRIES = {"a.py": Entry((1, 2, 3, 4), b"digest", pack(FACTS)), "b.py": Entry((), b"other", pack(FACTS))}


def file_of(folder):
    (file,) = folder.iterdir()
    return file


def test_facts_come_back_as_they_were(tmp_path):
    cache = Cache(tmp_path / "new" / "folder")
    cache.save("root", ENTRIES)
    assert cache.load("root") == ENTRIES
    assert cache.load("other") == {}
    facts = unpack(cache.load("root")["a.py"].facts)
    assert facts == FACTS
    assert facts.drafts[0].place.end_line == 3
    assert type(facts.ignored[0].place) is Place
    assert facts.directives[0].codes == ("CID101", "CID102")


def test_a_damaged_file_is_no_cache(tmp_path):
    cache = Cache(tmp_path)
    cache.save("root", ENTRIES)
    whole = file_of(tmp_path).read_bytes()
    for at in range(0, len(whole), 7):
        file_of(tmp_path).write_bytes(whole[:at])
        assert cache.load("root") == {}
        file_of(tmp_path).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert cache.load("root") == {}


def test_another_version_of_the_audit_has_another_cache(tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    cache.save("root", ENTRIES)
    monkeypatch.setattr(caching, "scanner", lambda: b"0" * 16)
    assert cache.load("root") == {}


def test_what_cannot_be_written_is_not(tmp_path):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file")
    cache.save("root", ENTRIES)
    assert cache.load("root") == {}


def test_the_latest_files_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(caching, "FILES", 3)
    cache = Cache(tmp_path)
    left_over, foreign = tmp_path / "tmp123.part", tmp_path / "notes.txt"
    for file in (left_over, foreign):
        file.write_text("")
        os.utime(file, (1, 1))
    for number in range(6):
        cache.save(str(number), ENTRIES)
        os.utime(cache._file(str(number)), (number + 10, number + 10))
    cache.save("last", ENTRIES)
    assert [name for name in [*"012345", "last"] if cache.load(name)] == ["4", "5", "last"]
    assert len(list(tmp_path.iterdir())) == 4
    assert (left_over.exists(), foreign.exists()) == (False, True)


@pytest.mark.skipif(os.name != "posix", reason="files have no such owner here")
def test_what_another_user_may_have_written_is_not_believed(tmp_path):
    cache = Cache(tmp_path)
    cache.save("root", ENTRIES)
    file = file_of(tmp_path)
    file.chmod(0o666)
    assert cache.load("root") == {}
    file.chmod(0o600)
    assert cache.load("root") == ENTRIES
    if os.geteuid() == 0:  # nobody else may give a file away
        os.chown(file, 12345, -1)
        assert cache.load("root") == {}


def test_audits_at_the_same_time_leave_a_whole_file(tmp_path):
    def save(number):
        for _ in range(30):
            Cache(tmp_path).save("root", {f"{number}.py": ENTRIES["a.py"]})

    threads = [threading.Thread(target=save, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert len(Cache(tmp_path).load("root")) <= 1
    assert len(Cache(tmp_path).load("root")) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_was_changed_just_now_has_no_stamp(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("x = 1\n")
    os.utime(file, (1, 1))  # ctime tells the truth
    assert stamp_of(file.stat()) == ()
    assert stamp_of(os.stat(os.__file__)) != ()


@pytest.mark.parametrize("named", ["", "relative"])
def test_the_default_folder(tmp_path, monkeypatch, named):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    assert default_folder() == tmp_path / ".cache" / "canonid"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "canonid"
