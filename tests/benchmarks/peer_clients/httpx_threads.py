"""The floor: a thread pool, an httpx client a thread with one SSL context, six tries with full jitter."""

import json
import random
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import httpx

base_url, prompts, in_flight, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
rows = [json.loads(line) for line in Path(prompts).read_text("utf-8").splitlines()]
context = ssl.create_default_context()
local = threading.local()


def ask(row):
    if not hasattr(local, "client"):
        local.client = httpx.Client(verify=context, trust_env=False, timeout=60)
    body = {"model": "m", "messages": row["messages"], "max_tokens": 2000}
    for attempt in range(7):
        response = local.client.post(f"{base_url}/chat/completions", json=body)
        if response.status_code == 200:
            return {"id": row["id"], "text": response.json()["choices"][0]["message"]["content"]}
        time.sleep(random.random() * 0.5 * 2**attempt)
    return {"id": row["id"], "text": None}


with ThreadPoolExecutor(in_flight) as pool, Path(output).open("w", encoding="utf-8") as file:
    for done in as_completed([pool.submit(ask, row) for row in rows]):
        file.write(json.dumps(done.result()) + "\n")
        file.flush()
