from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from goldenpath.agent.search import Docs, terms

CONCEPTS = """\
# Concepts

A page about the **words**.

## Scope

A [scope](x.md) is a live node that holds `resources`. Closing it releases them.

| word | meaning |
|------|---------|
| lease | proof of life |

## Minting ##

```python
# not a heading
registry.mint("thread")
```
"""


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docs]:
    root = tmp_path_factory.mktemp("project")
    (root / "docs" / "deep").mkdir(parents=True)
    (root / "docs" / "folder.md").mkdir()
    (root / "docs" / "concepts.md").write_text(CONCEPTS)
    (root / "docs" / "deep" / "undo.md").write_text("A batch of aliases can be undone.\n")
    (root / "docs" / "broken.md").write_bytes(b"# Broken\n\nbytes \xff\xfe here")
    (root / "README.md").write_text(
        "# canonid\n\nOne truth for identifiers.\n\n## Batches\n\nUndo a batch.\n"
    )
    with Docs([root / "README.md", root / "docs", root / "missing"], root) as docs:
        yield docs


def test_a_hit_names_title_path_and_section_and_quotes_plain_text(docs: Docs) -> None:
    hit = docs.search("What does a scope hold?")[0]
    assert (hit.title, hit.path, hit.section) == ("Concepts", "docs/concepts.md", "Scope")
    assert hit.snippet.startswith("A scope is a live node that holds resources. Closing it releases them.")
    assert "lease | proof of life" in hit.snippet
    assert hit.score > 0


def test_words_match_by_their_stem(docs: Docs) -> None:
    assert docs.search("resource released")[0].section == "Scope"


def test_a_heading_weighs_more_than_text(docs: Docs) -> None:
    assert docs.search("batches")[0].section == "Batches"


def test_what_matches_much_worse_than_the_best_is_left_out(docs: Docs) -> None:
    assert [hit.section for hit in docs.search("batches")] == ["Batches"]


def test_code_is_found_and_quoted_where_there_is_no_prose(docs: Docs) -> None:
    (hit,) = docs.search("registry")
    assert (hit.section, hit.snippet) == ("Minting", '# not a heading registry.mint("thread")')


def test_a_section_must_hold_half_of_the_terms(docs: Docs) -> None:
    assert docs.search("scope weather paris") == []
    assert [hit.section for hit in docs.search("scope weather")] == ["Scope"]


def test_no_more_hits_than_asked_for(docs: Docs) -> None:
    assert len(docs.search("batch", limit=1)) == 1


def test_bytes_that_are_not_text_do_not_keep_a_file_out(docs: Docs) -> None:
    assert docs.search("bytes")[0].path == "docs/broken.md"


@settings(deadline=None)
@given(st.text(alphabet=st.characters()) | st.text(alphabet='"*^:(){}+-_ scopeANDORNOTNEAR\x00'))
@example('scope" OR "batch')
@example('") UNION SELECT 1 --')
@example("title:scope NEAR(batch, 2) NOT *")
@example("_")
@example("\ud800 scope")
@example("scope " * 5000)
def test_any_text_is_a_query(docs: Docs, text: str) -> None:
    for hit in docs.search(text):
        assert hit.path


def test_query_syntax_in_a_question_is_only_words(docs: Docs) -> None:
    assert docs.search("scope NOT batch") == docs.search("batch scope")
    assert docs.search("section:scope") == docs.search("section scope")


def test_terms_leave_out_stop_words_and_repetition() -> None:
    assert terms("What is the Scope of a scope, and how does undo work?") == ["scope", "undo"]
    assert len(terms(" ".join(f"word{number}" for number in range(100)))) == 12


def test_empty_docs_find_nothing(tmp_path: Path) -> None:
    with Docs([tmp_path], tmp_path) as docs:
        assert docs.search("scope") == []


def test_many_threads_search_at_once(docs: Docs) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(docs.search, ["scope"] * 50))
    assert results == [docs.search("scope")] * 50
    assert results[0]
