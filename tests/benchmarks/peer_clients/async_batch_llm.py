"""async-batch-llm's ``process_stream`` over the openai client, each result written as it comes."""

import asyncio
import json
import sys
from pathlib import Path

sys.path.remove(str(Path(__file__).parent))  # this file has the library's name
from async_batch_llm import CallableStrategy, CallOutcome, process_stream
from async_batch_llm.classifiers import OpenAIErrorClassifier
from openai import AsyncOpenAI

base_url, prompts, in_flight, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
rows = {row["id"]: row for row in map(json.loads, Path(prompts).read_text("utf-8").splitlines())}


async def main():
    client = AsyncOpenAI(base_url=base_url, api_key="k", max_retries=0, timeout=60)

    async def ask(prompt, *, attempt, timeout, state):
        row = rows[prompt]
        said = await client.chat.completions.create(
            model="m", messages=row["messages"], max_tokens=2000, extra_body=row["form"], timeout=timeout
        )
        usage = {"input_tokens": said.usage.prompt_tokens, "output_tokens": said.usage.completion_tokens}
        return CallOutcome(said.choices[0].message.content, usage)

    strategy = CallableStrategy(ask, error_classifier=OpenAIErrorClassifier())
    with Path(output).open("w", encoding="utf-8") as file:
        async for result in process_stream(strategy, [(row, row) for row in rows], concurrency=in_flight):
            text = result.output if result.success else None
            if text is not None and rows[result.item_id]["form"]:
                text = json.dumps(json.loads(text))
            file.write(json.dumps({"id": result.item_id, "text": text}) + "\n")
            file.flush()


asyncio.run(main())
