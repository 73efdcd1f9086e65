#!/usr/bin/env python3
"""beside_llama.py INKSTONE FILE.gguf... [--turns 5] [--tokens 128] [--threads 2]

Decoding of one sequence by this program and by llama.cpp (xllamacpp from PyPI) on the same GGUF file, in turns:
milliseconds per token, and the median of the ratios. Both write `tokens` tokens after a prompt of about 64; the
program is measured by `inkstone bench decode`, llama.cpp by the timings that its server reports.
"""
import argparse
import json
import statistics
import subprocess

PROMPT = "the people of the valley went up to the hill and " * 6


def ours(program, file, threads):
    lines = subprocess.run([program, "bench", "decode", "--model", file, "--threads", str(threads), "--json"],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    results = [json.loads(line) for line in lines]
    decode = next(r for r in results if r["name"].startswith("decode"))
    return decode["ms"], decode["floor_fraction"]


class Llama:
    def __init__(self, file, threads):
        import xllamacpp
        params = xllamacpp.CommonParams()
        params.model.path = file
        params.n_ctx = 1024
        params.n_parallel = 1
        params.warmup = True
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.n_gpu_layers = 0
        self.server = xllamacpp.Server(params)

    def measure(self, tokens):
        answer = self.server.handle_completions({"prompt": PROMPT, "max_tokens": tokens, "temperature": 0,
                                                 "ignore_eos": True, "cache_prompt": False})
        timings = answer["timings"]
        return timings["predicted_ms"] / timings["predicted_n"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    for file in a.files:
        llama = Llama(file, a.threads)
        llama.measure(16)
        rows = []
        for _ in range(a.turns):
            mine, fraction = ours(a.program, file, a.threads)
            rows.append((mine, llama.measure(a.tokens), fraction))
        ratio = statistics.median(other / mine for mine, other, _ in rows)
        print(f"{file}: inkstone {statistics.median(r[0] for r in rows):.2f} ms/token "
              f"({statistics.median(r[2] for r in rows):.2f} of its floor), "
              f"llama.cpp {statistics.median(r[1] for r in rows):.2f}, {ratio:.2f} times as fast", flush=True)
        del llama


if __name__ == "__main__":
    main()
