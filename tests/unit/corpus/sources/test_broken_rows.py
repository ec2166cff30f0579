"""A quote that is not closed, or a row that breaks off, costs itself and none of the rows after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.corpus.sources.formats import open_source
from handlers.corpus.sources.reader import BadLine
from tests.builders.growth import assert_linear

HEADER = "id,title,abstract\n"


def read(folder: Path, text: str, **options: Any) -> tuple[list[str], dict[int, str]]:
    """(ids of the rows, reasons by line)."""
    (folder / "a.csv").write_text(text, encoding="utf-8")
    rows = list(open_source(str(folder / "a.csv"), **options).records())
    ids = [row["id"] for _, row in rows if not isinstance(row, BadLine)]
    return ids, {number: row.reason for number, row in rows if isinstance(row, BadLine)}


@pytest.mark.parametrize(
    ("rows", "ids", "lines"),
    [
        ('1,a,"open\n2,b,closed"\n3,c,d\n', "2 3", [2]),
        ('1,a,"open\n2,b,x\n3,c,y\n4,d,"\n5,e,f\n', "2 3 5", [2, 5]),
        ('1,a,b\n2,"a,b\n3,c,d\n4,"e",f\n5,g,h\n', "1 3 4 5", [3]),
        ('1,a,"open\nof two lines\n2,b,c\n3,d,e\n', "2 3", [2]),
        ('"1","a","open\n"2","b","x"\n"3","c","y"\n', "2 3", [2]),
        ('10.1000/a,a,"open\n10.1001/b,b,x"\n10.1002/c,c,d\n', "10.1001/b 10.1002/c", [2]),
        ('W17,a,"open\nW2,b,x"\nW9,c,d\n', "W2 W9", [2]),
        ('2101.00001,a,"open\n2103.00002,b,x"\n2102.00003,c,d\n', "2103.00002 2102.00003", [2]),
        ('83736,a,"open\n12234,b,x"\n5555,c,d\n', "12234 5555", [2]),
        ('1,a,"said "hello" to\nthe world, and, more\nend"\n2,b,c\n3,d,e\n', "2 3", [2, 3, 4]),
        ('a1,a,"x "y"\nword\n\nend"\nmath/7,b,c\n8,d,e\n', "math/7 8", [2, 3, 5]),
    ],
)
def test_what_a_broken_row_costs(rows: str, ids: str, lines: list[int], tmp_path: Path) -> None:
    found, refused = read(tmp_path, HEADER + rows)
    assert (" ".join(found), list(refused)) == (ids, lines)


@pytest.mark.parametrize(
    "cell",
    [
        "目的：\n1,方法,一\n2,结果,二\n3,结论,三",
        "Background.\nHowever, we, find.\nIn 2020, x, y",
        "x, ''q'' y\n\n6, six, seven",
        "p53,p21,Bcl-2\n10.5,3,4",
    ],
)
@pytest.mark.parametrize("own", [1, 5])
def test_lines_of_a_text_are_no_rows(cell: str, own: int, tmp_path: Path) -> None:
    found, refused = read(tmp_path, f'{HEADER}{own},a,"{cell}"\n{own + 1},b,c\n{own + 2},d,e\n')
    assert (found, refused) == ([str(own), str(own + 1), str(own + 2)], {})


def test_ids_may_stand_in_another_column(tmp_path: Path) -> None:
    rows = 'a,b,1\nc,"open,2\nd,e,3\nf,"g",4\n'
    found, refused = read(tmp_path, f"title,abstract,id\n{rows}")
    assert (found, list(refused)) == (["1", "3", "4"], [3])


def test_a_record_over_the_limit_gives_the_rows_in_it_back(tmp_path: Path) -> None:
    rows = "".join(f"{number},t,abstract\n" for number in range(2, 40))
    found, refused = read(tmp_path, f'{HEADER}1,a,"open\n{rows}', limit=200)
    assert found == [str(number) for number in range(2, 40)]
    assert list(refused) == [2]


@settings(max_examples=60)
@given(st.text(alphabet=st.sampled_from('"1a,\n é')))
def test_every_line_is_a_row_or_refused(text: str) -> None:
    """And none comes twice or in another order."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text(HEADER + text, encoding="utf-8")
        numbers = [number for number, _ in open_source(str(path), limit=30).records()]
    assert numbers == sorted(set(numbers))


@pytest.mark.slow
@pytest.mark.parametrize("piece", ['2,x","b\n', '2,"b\n', '2,"""b\n', "2,b\n", '"\n', "\n", '1,"a\n2,b\n'])
def test_a_flood_after_an_open_quote_is_read_in_linear_time(piece: str, tmp_path: Path) -> None:
    def flooded(size: int) -> Path:
        lines = (piece.replace("2", str(number), 1) for number in range(2, 2 + size // len(piece)))
        (tmp_path / "a.csv").write_text(HEADER + '1,"a\n' + "".join(lines))
        return tmp_path / "a.csv"

    assert_linear(flooded, lambda path: list(open_source(str(path)).records()))
