"""docs/sql.md: what `headwater sql --reference` prints, and every statement in it runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import api_helpers as api
from headwater_analysis import sql
from headwater_analysis.reference.examples import EXAMPLES
from headwater_analysis.reference.questions import QUESTIONS
from headwater_analysis.remote import RemoteSource
from store_helpers import open_store

WRITTEN = Path(__file__).parents[2] / "docs" / "sql.md"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = open_store(tmp_path_factory.mktemp("reference") / "headwater.duckdb")
    with api.serving(store) as served:
        yield served
    store.close()


def test_the_written_reference_is_what_the_command_prints(url: str) -> None:
    done = api.headwater("sql", "--reference", "--collector", url)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == WRITTEN.read_text("utf-8"), "headwater sql --reference > docs/sql.md"


def test_every_public_name_has_an_example() -> None:
    assert set(EXAMPLES) == {*sql.PUBLIC_RELATIONS, *sql.PUBLIC_TABLE_MACROS, *sql.PUBLIC_FUNCTIONS}
    assert all(name in statement for name, statement in EXAMPLES.items())


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_may_be_asked_and_runs(url: str, name: str) -> None:
    RemoteSource(url).query(EXAMPLES[name])


def test_there_are_many_questions() -> None:
    assert len({question.words for question in QUESTIONS}) == len(QUESTIONS) >= 20


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.words)
def test_every_question_binds(url: str, question: object) -> None:
    RemoteSource(url).query(question.sql)  # type: ignore[attr-defined]
