"""OAI-PMH against a local server that speaks it: paging, resuming, hostile XML."""

from __future__ import annotations

import http.server
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from handlers.corpus.sources.oai_pmh import OaiPmhSource
from handlers.corpus.sources.reader import BadLine
from handlers.errors import SourceError
from tests.builders.command import paperfleet
from tests.builders.fakes import FakeClock
from tests.builders.growth import assert_linear

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
DC = """<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>第{n}个\n  题目 $x&lt;{n}$</dc:title>
<dc:creator>王</dc:creator><dc:creator>李</dc:creator><dc:subject>物理</dc:subject><dc:subject>数学</dc:subject>
<dc:description>摘要{n}</dc:description><dc:description>Comment: 3 pages</dc:description>
<dc:identifier>hdl:1/{n}</dc:identifier><dc:identifier>https://example.org/{n}</dc:identifier>
<dc:rights>CC-BY-4.0</dc:rights><dc:language>zh</dc:language><dc:date>2024-01-02</dc:date></oai_dc:dc>"""
ARXIV = """<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>2401.0000{n}</id><created>2024-01-02</created>
<authors><author><keyname>Lee</keyname><forenames>A. B.</forenames></author></authors><title>A title</title>
<categories>hep-th math.QA</categories><license>http://creativecommons.org/licenses/by/4.0/</license>
<abstract>  An abstract\n of two lines. </abstract></arXiv>"""


def record(number: int, metadata: str = DC, status: str = "", date: str = "") -> str:
    inner = "" if status else f"<metadata>{metadata.replace('{n}', str(number))}</metadata>"
    stamp = f"<datestamp>{date}</datestamp>" if date else ""
    return f"<record><header{status}><identifier>oai:x:{number}</identifier>{stamp}</header>{inner}</record>"


def page(*records: str, token: str = "") -> str:
    listed = f"<ListRecords>{''.join(records)}<resumptionToken>{token}</resumptionToken></ListRecords>"
    return wrapped(listed)


def wrapped(content: str) -> str:
    return f'{HEAD}<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{content}</OAI-PMH>'


EXPIRED = wrapped('<error code="badResumptionToken">expired</error>')


@dataclass
class Repository:
    """Answers by resumption token (none: by ``from``, or ""); ``asked`` are the queries it heard."""

    location: str = ""
    pages: dict[str, str] = field(default_factory=dict)
    busy: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    refused: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    once: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
def repository() -> Iterator[Repository]:
    found = Repository()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query))
            found.asked.append(query)
            token = query.get("resumptionToken", query.get("from", ""))
            token = token if token in found.pages else ""
            status, headers = found.busy.pop(0) if found.busy else found.refused.get(token, (200, {}))
            answer = found.once.pop(token, found.pages[token])
            body = b"" if status != 200 else answer.encode()
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Nothing on stderr."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        found.location = f"oai+http://127.0.0.1:{server.server_address[1]}/oai"
        yield found
        server.shutdown()
        thread.join()


@dataclass
class Harvest:
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)

    def __call__(self, location: str) -> list[tuple[int, Any]]:
        return list(OaiPmhSource(location, self.folder, self.clock).records())


@pytest.fixture
def harvest(tmp_path: Path) -> Harvest:
    return Harvest(tmp_path)


def three_pages(repository: Repository) -> None:
    repository.pages = {
        "": page(record(1), record(2, status=' status="deleted"'), token="t 1"),
        "t 1": page(record(3), token="t&amp;2"),
        "t&2": page(record(4)),
    }


def ids(rows: list[tuple[int, Any]]) -> list[str]:
    return [row["id"] for _, row in rows]


def test_a_list_is_followed_by_its_tokens_and_deleted_records_are_left_out(
    repository: Repository, harvest: Harvest
) -> None:
    three_pages(repository)
    rows = harvest(f"{repository.location}?set=phys&from=2024-01-01&until=2024-02-01")
    assert [(number, row["id"]) for number, row in rows] == [(1, "oai:x:1"), (3, "oai:x:3"), (4, "oai:x:4")]
    assert rows[0][1] == {
        "id": "oai:x:1", "title": "第1个 题目 $x<1$", "abstract": "摘要1", "keywords": ["物理", "数学"],
        "language": "zh", "license": "CC-BY-4.0", "date": "2024-01-02", "url": "https://example.org/1",
        "authors": ["王", "李"],
    }  # fmt: skip
    first = {"set": "phys", "from": "2024-01-01", "until": "2024-02-01", "metadataPrefix": "oai_dc"}
    assert repository.asked == [
        {"verb": "ListRecords"} | first,
        {"verb": "ListRecords", "resumptionToken": "t 1"},
        {"verb": "ListRecords", "resumptionToken": "t&2"},
    ]


def test_arxiv_s_own_format_is_read(repository: Repository, harvest: Harvest) -> None:
    repository.pages = {"": page(record(7, ARXIV))}
    assert harvest(f"{repository.location}?metadataPrefix=arXiv")[0][1] == {
        "id": "2401.00007", "title": "A title", "abstract": "An abstract of two lines.",
        "license": "http://creativecommons.org/licenses/by/4.0/", "date": "2024-01-02",
        "url": "https://arxiv.org/abs/2401.00007", "authors": ["A. B. Lee"],
        "categories": ["hep-th", "math.QA"],
    }  # fmt: skip


def test_a_harvest_that_broke_off_goes_on_where_it_stood_and_a_complete_one_asks_nothing(
    repository: Repository, harvest: Harvest
) -> None:
    three_pages(repository)
    repository.busy = [(200, {}), *[(503, {})] * 6]
    with pytest.raises(SourceError, match="HTTP 503"):
        harvest(repository.location)
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:3", "oai:x:4"]
    asked = [query.get("resumptionToken", "") for query in repository.asked]
    assert asked == ["", *["t 1"] * 7, "t&2"]
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:3", "oai:x:4"]
    assert len(repository.asked) == 9


def test_a_token_that_stays_refused_is_an_error_and_the_next_harvest_goes_on(
    repository: Repository, harvest: Harvest
) -> None:
    three_pages(repository)
    repository.pages["t 1"] = EXPIRED
    with pytest.raises(SourceError, match="badResumptionToken: expired; begun anew 3 times in vain"):
        harvest(repository.location)
    repository.pages |= {"": page(record(1), token="new"), "new": page(record(9))}
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:9"]


@pytest.mark.parametrize(
    "words",
    [
        EXPIRED,
        wrapped('<error code="badArgument">The token <b>t 1</b> & its session are gone</error>'),
        wrapped('<error code="noRecordsMatch"/>'),
        wrapped("<ListRecords/>"),
        "<!DOCTYPE html><html><body>Your session has expired</body></html>",
        "",
        (400, {}),
        (404, {}),
        (410, {}),
        (422, {}),
        (500, {}),
        (501, {}),
    ],
)
def test_a_token_refused_in_whatever_words_begins_anew_where_the_harvest_stood(
    repository: Repository, harvest: Harvest, words: str | tuple[int, dict[str, str]]
) -> None:
    dated = page(record(1, date="2024-01-01"), record(2, date="2024-02-03"), token="old")
    repository.pages = {"": dated, "old": words if isinstance(words, str) else ""}
    repository.refused = {} if isinstance(words, str) else {"old": words}
    repository.pages["2024-02-03"] = page(record(2), record(3), token="new")
    repository.pages["new"] = page(record(4))
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:2", "oai:x:2", "oai:x:3", "oai:x:4"]
    assert repository.asked[-2] == {
        "verb": "ListRecords", "metadataPrefix": "oai_dc", "from": "2024-02-03"
    }  # fmt: skip
    asked = len(repository.asked)
    assert len(harvest(repository.location)) == 5, "read again without a request"
    assert len(repository.asked) == asked


def test_a_list_that_is_not_in_the_order_of_its_datestamps_begins_at_its_beginning(
    repository: Repository, harvest: Harvest
) -> None:
    unordered = page(record(1, date="2024-03-01"), record(2, date="2024-01-01"), token="old")
    repository.pages = {"": unordered, "old": EXPIRED}
    with pytest.raises(SourceError, match="in vain"):
        harvest(repository.location)
    assert all("from" not in query for query in repository.asked)
    again = page(record(1), record(2), token="next")
    repository.pages |= {"": again, "next": page(record(3), token="last"), "last": page(record(4))}
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:2", "oai:x:3", "oai:x:4"]


def test_an_empty_list_after_the_last_record_is_the_end(repository: Repository, harvest: Harvest) -> None:
    repository.pages = {"": page(record(1), record(2), token="a"), "a": page()}
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:2"]
    asked = len(repository.asked)
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:2"]
    assert len(repository.asked) == asked


def of_six(*records: str, token: str = "") -> str:
    list_end = f'<resumptionToken completeListSize="6">{token}</resumptionToken>'
    return wrapped(f"<ListRecords>{''.join(records)}{list_end}</ListRecords>")


def test_a_list_that_is_empty_once_before_its_end_is_asked_for_again(
    repository: Repository, harvest: Harvest
) -> None:
    """Its total says that there is more."""
    repository.pages = {
        "": of_six(record(1), record(2), token="a"),
        "a": of_six(record(3), record(4), token="b"),
        "b": of_six(record(5), record(6)),
    }
    answers = [EXPIRED, wrapped("<ListRecords></ListRecords>")]

    class InTurn(dict[str, str]):
        def pop(self, key: str, default: Any = None) -> Any:
            return answers.pop(0) if key == "b" and answers else default

    repository.once = InTurn()
    assert ids(harvest(repository.location)) == [f"oai:x:{number}" for number in range(1, 7)]


@pytest.mark.parametrize(
    "listed",
    [
        "<ListRecords>{1}</ListRecords><ListRecords>{2}<resumptionToken>a</resumptionToken></ListRecords>",
        "<ListRecords>{1}{2}</ListRecords><resumptionToken>a</resumptionToken>",
        "<ListRecords>{1}<resumptionToken/>{2}<resumptionToken>a</resumptionToken></ListRecords>",
    ],
)
def test_lists_and_tokens_are_taken_wherever_they_stand(
    repository: Repository, harvest: Harvest, listed: str
) -> None:
    first = listed.replace("{1}", record(1)).replace("{2}", record(2))
    repository.pages = {"": wrapped(first), "a": page(record(3))}
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:2", "oai:x:3"]


@pytest.mark.parametrize("cut", [20, 41, 60, 100, 180, 260])
def test_a_page_that_is_cut_once_costs_a_second_request(
    repository: Repository, harvest: Harvest, cut: int
) -> None:
    three_pages(repository)
    repository.once["t 1"] = repository.pages["t 1"][:-cut]
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:3", "oai:x:4"]


def test_a_page_that_is_always_cut_is_told_and_costs_what_is_missing(
    repository: Repository, harvest: Harvest
) -> None:
    three_pages(repository)
    repository.pages["t 1"] = page(record(3), record(5))[:-120]
    rows = [row for _, row in harvest(repository.location)]
    assert [row["id"] for row in rows if not isinstance(row, BadLine)] == ["oai:x:1", "oai:x:3"]
    reasons = [row.reason for row in rows if isinstance(row, BadLine)]
    assert reasons == [
        "page 2 (resumptionToken t 1): oai:x:5: XML that cannot be read (mismatched tag)",
        "page 2 (resumptionToken t 1): the page breaks off and does not tell whether another follows",
    ]
    repository.pages["t 1"] = page(record(3), record(5), token="t&amp;2")
    found = {row["id"] for _, row in harvest(repository.location) if isinstance(row, dict)}
    assert found == {"oai:x:1", "oai:x:3", "oai:x:4", "oai:x:5"}


def test_a_long_harvest_says_how_far_it_is_and_why_it_waits(repository: Repository, tmp_path: Path) -> None:
    three_pages(repository)
    first = repository.pages[""]
    repository.pages[""] = first.replace("<resumptionToken>", '<resumptionToken completeListSize="1234">')
    repository.busy = [(503, {"Retry-After": "60"})]
    said: list[str] = []
    source = OaiPmhSource(repository.location, tmp_path, FakeClock(), said.append)
    assert ids(list(source.records())) == ["oai:x:1", "oai:x:3", "oai:x:4"]
    assert said == [
        "harvest: waiting 60 s (HTTP 503)", "harvest: 2 of 1,234 records, page 1",
        "harvest: the list ends after 4 of the 1,234 records that it told of",
    ]  # fmt: skip


def test_retry_after_is_honoured_and_patience_has_an_end(repository: Repository, harvest: Harvest) -> None:
    repository.pages = {"": page(record(1))}
    repository.busy = [(503, {"Retry-After": "40"}), (503, {}), (429, {"Retry-After": "99999"})]
    began = harvest.clock.now()
    assert ids(harvest(repository.location)) == ["oai:x:1"]
    assert harvest.clock.now() - began == 40 + 2 + 900
    repository.busy = [(503, {})] * 20
    with pytest.raises(SourceError, match=r"given up after 6 tries \(HTTP 503\)"):
        harvest(f"{repository.location}?set=other")


@pytest.mark.parametrize(
    "content",
    [
        '<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>' + wrapped("&b;")[len(HEAD) :],
        '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + wrapped("&e;")[len(HEAD) :],
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>',
        "<html><body>Login</body></html>",
        "not XML",
        "",
        '<!DOCTYPE a [<!ENTITY b "x">]>' + wrapped("<ListRecords><record> & &b;")[len(HEAD) :],
        wrapped("<ListRecords")[:80],
        wrapped("<Identify/>"),
        '<?xml version="1.0" encoding="no-such"?><a/>',
    ],
)
def test_hostile_and_foreign_answers_are_refused_and_not_kept(
    repository: Repository, harvest: Harvest, content: str
) -> None:
    repository.pages = {"": content}
    with pytest.raises(SourceError, match="oai"):
        harvest(repository.location)
    assert not list(harvest.folder.rglob("*.xml"))


def test_records_that_are_no_papers_stop_nothing(repository: Repository, harvest: Harvest) -> None:
    bare = "<record><header><identifier>b</identifier></header></record>"
    repository.pages = {"": page("<record/>", bare, record(3, "<marc/>"), record(4, DC + "\x0b"))}
    rows = harvest(repository.location)
    assert [row.reason for _, row in rows if isinstance(row, BadLine)] == [
        "page 1: a record without header", "page 1: b: a record without metadata",
        "page 1: oai:x:3: metadata of an unknown format",
    ]  # fmt: skip
    assert rows[3][1]["id"] == "oai:x:4"


def test_tokens_that_go_in_a_circle_are_an_end(repository: Repository, harvest: Harvest) -> None:
    repository.pages = {"": page(record(1), token="a"), "a": page(record(2), token="a")}
    with pytest.raises(SourceError, match="circle"):
        harvest(repository.location)
    repository.pages |= {"a": page(record(2), token="b"), "b": page(record(3), token="a")}
    with pytest.raises(SourceError, match="circle"):
        harvest(f"{repository.location}?set=other")


def test_a_token_that_stays_the_same_while_the_list_goes_on_is_followed(
    repository: Repository, harvest: Harvest
) -> None:
    repository.pages = {"": page(record(1), token="a"), "a": page(record(3))}
    repository.once = {"a": page(record(2), token="a")}
    assert ids(harvest(repository.location)) == ["oai:x:1", "oai:x:2", "oai:x:3"]


@pytest.mark.parametrize("piece", ["$", "&lt;", "[", "{", "<a>", "<a/>", "&#65;"])
def test_a_flood_of_anything_is_read_in_linear_time(
    repository: Repository, harvest: Harvest, piece: str
) -> None:
    def flooded(size: int) -> str:
        times = size // (len(piece) + 4)
        flood = piece * times + ("</a>" * times if piece == "<a>" else "")
        repository.pages = {"": page(record(1, DC.replace("摘要{n}", flood)))}
        return f"{repository.location}?set=s{next(fresh)}"

    def read(location: str) -> None:
        assert ids(harvest(location)) == ["oai:x:1"]

    fresh = itertools.count()
    assert_linear(flooded, read)


@pytest.mark.parametrize(
    "location",
    [
        "oai+ftp://host/oai",
        "oai+https://",
        "oai+https://name:secret@host/oai",
        "oai+https://host/oai?metadataPrefix=marc",
        "oai+https://host/oai?verb=Identify",
        "oai+https://host:port/oai",
        "oai+https://[/oai",
    ],
)
def test_a_wrong_location_is_refused_at_once(location: str, harvest: Harvest) -> None:
    with pytest.raises(SourceError) as raised:
        OaiPmhSource(location, harvest.folder, harvest.clock)
    assert "secret" not in str(raised.value)


def test_the_command_ingests_a_repository(repository: Repository, tmp_path: Path) -> None:
    three_pages(repository)
    ran = paperfleet("ingest", repository.location, "--state", tmp_path)
    assert ran.code == 0, ran.err
    assert ran.report["papers"] == 3


@pytest.mark.slow
def test_a_page_of_any_size_costs_no_harvest(repository: Repository, harvest: Harvest) -> None:
    """What is beyond 64 MB is asked for by the datestamp that it stood at."""
    long = DC.replace("摘要", "x" * (1 << 20))
    records = [record(n, long, date=f"20{n:02}-01-01") for n in range(1, 71)]
    repository.pages = {"": page(*records), "2064-01-01": page(*records[63:])}
    rows = harvest(repository.location)
    good = [row["id"] for _, row in rows if not isinstance(row, BadLine)]
    assert list(dict.fromkeys(good)) == [f"oai:x:{n}" for n in range(1, 71)]
    assert [query.get("from") for query in repository.asked] == [None, "2064-01-01"]
    part, told = (row for _, row in rows if isinstance(row, BadLine))
    assert "oai:x:64: XML that cannot be read" in part.reason
    assert "breaks off" in told.reason
