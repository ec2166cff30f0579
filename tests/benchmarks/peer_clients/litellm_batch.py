"""litellm's ``batch_completion`` with ``max_workers``."""

import json
import os
import sys
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm

litellm.suppress_debug_info = True
base_url, prompts, in_flight, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
rows = [json.loads(line) for line in Path(prompts).read_text("utf-8").splitlines()]
answers = litellm.batch_completion(
    model="openai/m",
    messages=[row["messages"] for row in rows],
    max_workers=in_flight,
    api_base=base_url,
    api_key="k",
    max_tokens=2000,
    num_retries=6,
)
with Path(output).open("w", encoding="utf-8") as file:
    for row, answer in zip(rows, answers, strict=True):
        text = None if isinstance(answer, Exception) else answer.choices[0].message.content
        file.write(json.dumps({"id": row["id"], "text": text}) + "\n")
