"""Whether a function that ``sam local`` invokes has been told what a deployed stack tells it.

SAM gives a container the caller's credentials, and for a parameter or resource that has no value its own name
in the template as a word. Without this a function would ask real AWS for a table called ``Table``.
"""

from __future__ import annotations

from collections.abc import Mapping

from handlers.errors import UsageError

_PREFIX = "PAPERFLEET_"
_SERVICES = ("dynamodb", "s3", "secretsmanager", "sqs")
_HOW = "`make sam-local` gives all of it, docs/how-to/events.md says how it is given by hand"
_ENDPOINT = "AWS_ENDPOINT_URL"
PARAMETERS = {"base_url": "BaseUrl", "model": "Model"}
"""Settings that template.yaml takes from parameters without a default."""
RESOURCES = {
    "table": "Table",
    "bucket": "Bucket",
    "queue_url": "Queue",
    "dead_letter_url": "DeadLetterQueue",
}
"""Settings that it takes from resources, which there are none of locally."""


def refuse_unfilled(environment: Mapping[str, str]) -> None:
    """UsageError within ``sam local`` if a value is missing there, or AWS's own endpoints would be asked."""
    if environment.get("AWS_SAM_LOCAL", "").lower() != "true":
        return
    away = [each for each in _SERVICES if not _has_endpoint(each, environment)]
    if away and environment.get(f"{_PREFIX}BACKEND") == "aws":
        raise UsageError(
            f"sam local: no {_ENDPOINT} is given, and {', '.join(away)} of real AWS would be asked with"
            f" your own credentials; set it to a local server, in the --env-vars file or in SAM's"
            f" environment: {_HOW}"
        )
    for name, word in (PARAMETERS | RESOURCES).items():
        variable = _PREFIX + name.upper()
        if environment.get(variable) == word:
            by = f"--parameter-overrides {word}=..." if name in PARAMETERS else "the --env-vars file"
            raise UsageError(
                f"sam local: {variable} has no value but the template's word {word!r}; give it by {by}:"
                f" {_HOW}"
            )


def _has_endpoint(service: str, environment: Mapping[str, str]) -> bool:
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return False
    return bool(environment.get(f"{_ENDPOINT}_{service.upper()}") or environment.get(_ENDPOINT))
