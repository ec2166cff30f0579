"""openai's AsyncOpenAI under a semaphore, gathered."""

import asyncio
import json
import sys
from pathlib import Path

from openai import AsyncOpenAI, OpenAIError

base_url, prompts, in_flight, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
rows = [json.loads(line) for line in Path(prompts).read_text("utf-8").splitlines()]


async def main():
    client = AsyncOpenAI(base_url=base_url, api_key="k", max_retries=6)
    semaphore = asyncio.Semaphore(in_flight)

    async def ask(row):
        async with semaphore:
            try:
                answer = await client.chat.completions.create(
                    model="m", messages=row["messages"], max_tokens=2000
                )
            except OpenAIError:
                return {"id": row["id"], "text": None}
        return {"id": row["id"], "text": answer.choices[0].message.content}

    return await asyncio.gather(*map(ask, rows))


done = asyncio.run(main())
Path(output).write_text("".join(json.dumps(each) + "\n" for each in done), encoding="utf-8")
