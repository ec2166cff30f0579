"""bespokelabs-curator's ``LLM`` on a dataset, its cache beside the output."""

import importlib.util
import json
import os
import sys
from pathlib import Path

# The vocabulary that it counts tokens with lies in a dependency of its own; else it is fetched at start.
(litellm_folder,) = importlib.util.find_spec("litellm").submodule_search_locations
base_url, prompts, in_flight, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
os.environ |= {
    "CURATOR_CACHE_DIR": f"{output}.cache",
    "TELEMETRY_ENABLED": "false",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_CACHE": f"{output}.datasets",
    "OPENAI_API_KEY": "k",
    "TIKTOKEN_CACHE_DIR": f"{litellm_folder}/litellm_core_utils/tokenizers",
}
from bespokelabs import curator  # noqa: E402 - it reads the environment when imported
from datasets import Dataset  # noqa: E402

rows = [json.loads(line) for line in Path(prompts).read_text("utf-8").splitlines()]


class Translate(curator.LLM):
    def prompt(self, row):
        return row["messages"]

    def parse(self, row, response):
        return {"id": row["id"], "text": response}


model = Translate(
    model_name="m",
    backend="openai",
    generation_params={"max_tokens": 2000, **rows[0]["form"]},  # which all have
    backend_params={
        "base_url": base_url,
        "max_concurrent_requests": in_flight,
        "max_requests_per_minute": 1_000_000,
        "max_tokens_per_minute": 1_000_000_000,
        "require_all_responses": False,
    },
)
answered = model(Dataset.from_list(rows))
answered = getattr(answered, "dataset", answered)
with Path(output).open("w", encoding="utf-8") as file:
    file.writelines(json.dumps({"id": row["id"], "text": row["text"]}) + "\n" for row in answered)
