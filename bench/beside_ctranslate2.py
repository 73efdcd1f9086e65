#!/usr/bin/env python3
"""beside_ctranslate2.py MODEL_DIR [--sequences 32] [--start 64] [--tokens 64] [--threads 2] [--turns 3]

Tokens per second of CTranslate2 (PyPI) writing several sequences together with a Hugging Face GPT-2, in float32 and
int8: beside `inkstone bench decode --model MODEL_DIR --sequences N --type T`. Every sequence has a prompt of
`start` tokens and writes `tokens`; the time of the prompts, measured with one token, is taken off.
"""
import argparse
import pathlib
import statistics
import tempfile
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--sequences", type=int, default=32)
    parser.add_argument("--start", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=3)
    a = parser.parse_args()
    import ctranslate2
    import transformers
    names = transformers.AutoTokenizer.from_pretrained(a.model).convert_ids_to_tokens(range(1000, 1000 + a.start))
    for precision in ("float32", "int8"):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "model"
            ctranslate2.converters.TransformersConverter(a.model).convert(str(out), quantization=precision)
            generator = ctranslate2.Generator(str(out), device="cpu", compute_type=precision, intra_threads=a.threads)

            def seconds(tokens):
                begin = time.perf_counter()
                generator.generate_batch([names] * a.sequences, max_length=tokens, min_length=tokens,
                                         sampling_topk=1, include_prompt_in_result=False)
                return time.perf_counter() - begin

            seconds(2)
            rates = [a.sequences * (a.tokens - 1) / (seconds(a.tokens) - seconds(1)) for _ in range(a.turns)]
            print(f"ctranslate2 {precision}: {statistics.median(rates):.0f} tokens/s ({a.sequences} sequences)",
                  flush=True)


if __name__ == "__main__":
    main()
