"""langchain's ``.batch`` with ``max_concurrency``."""

import json
import sys
from pathlib import Path

from langchain_openai import ChatOpenAI

base_url, prompts, in_flight, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
rows = [json.loads(line) for line in Path(prompts).read_text("utf-8").splitlines()]
model = ChatOpenAI(model="m", base_url=base_url, api_key="k", max_retries=6, max_tokens=2000)
answers = model.batch(
    [[(message["role"], message["content"]) for message in row["messages"]] for row in rows],
    config={"max_concurrency": in_flight},
    return_exceptions=True,
)
with Path(output).open("w", encoding="utf-8") as file:
    for row, answer in zip(rows, answers, strict=True):
        text = None if isinstance(answer, Exception) else answer.content
        file.write(json.dumps({"id": row["id"], "text": text}) + "\n")
