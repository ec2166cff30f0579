"""``Ledger``: settings of any size that a run may have come back as they were given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handlers.adapters.dynamodb.dynamodb_ledger import DynamoDbLedger
from handlers.errors import DamagedObjectError, UsageError
from handlers.ports import Ledger
from handlers.runs.submit import RunRequest, submit_run
from tests.builders import values
from tests.builders.fakes import FakeClock
from tests.builders.local_aws import LocalAws, name_of

TERMS = {f"术语{n}": f"a term of some length, number {n}" for n in range(12_000)}


def test_a_glossary_of_twelve_thousand_terms_is_kept_whole_and_in_its_order(
    ledger: Ledger, open_ledger: Callable[[], Ledger]
) -> None:
    made = ledger.create_run(values.run_record("large", glossary=TERMS))
    assert made.spec.glossary == TERMS
    found = open_ledger().run("large").spec
    assert list(found.glossary.items()) == list(TERMS.items())
    assert found.fingerprint("text") == made.spec.fingerprint("text")
    assert ledger.run(values.RUN).spec.glossary == {}


def test_a_run_of_an_earlier_release_has_its_terms_with_its_other_settings(
    aws: LocalAws, tmp_path: Path
) -> None:
    table, client = aws.table(name_of(tmp_path)), aws.client("dynamodb")
    ledger = DynamoDbLedger(client, table, FakeClock())
    ledger.create_run(values.run_record())
    spec = values.spec(glossary={"模型": "model"})
    client.update_item(
        TableName=table,
        Key={"pk": {"S": f"RUN#{values.RUN}"}, "sk": {"S": "META"}},
        UpdateExpression="SET spec = :spec",
        ExpressionAttributeValues={":spec": {"S": spec.model_dump_json()}},
    )
    assert ledger.run(values.RUN).spec == spec


def test_terms_that_are_gone_are_no_other_glossary(aws: LocalAws, tmp_path: Path) -> None:
    table, client = aws.table(name_of(tmp_path)), aws.client("dynamodb")
    DynamoDbLedger(client, table, FakeClock()).create_run(values.run_record(glossary=TERMS))
    found = client.scan(TableName=table, ProjectionExpression="pk, sk")["Items"]
    parts = [key for key in found if key["pk"]["S"].startswith("GLOSSARY#")]
    assert len(parts) > 3
    client.delete_item(TableName=table, Key=parts[1])
    with pytest.raises(DamagedObjectError, match="glossary"):
        DynamoDbLedger(client, table, FakeClock()).run(values.RUN)


class Untouched:
    """Nothing may be written, nor asked, but for the run."""

    def run(self, run_id: str) -> Any:
        from handlers.errors import UnknownRunError

        raise UnknownRunError(run_id)


def test_settings_that_are_too_large_are_refused_by_name_before_anything_is_written() -> None:
    spec = values.spec(extra_body={"long": "x" * 66_000, "other": json.dumps({})})
    request = RunRequest(run_id="r", spec=spec, papers=1)
    with pytest.raises(UsageError, match=r"extra_body has 66,\d+ bytes"):
        submit_run(values.backend(ledger=Untouched()), request)
