#!/usr/bin/env python3
"""Compares `inkstone eval` with lm-eval 0.4.13, offline: rows of every task, made here, on tiny models with a small
vocabulary and (where --vocabulary FOLDER has it as Hugging Face files) GPT-2's, without and with examples.

Requests must be the same texts, log-likelihoods within 1e-4 nats, greedy the same, accuracies the same, perplexities and
errors within 1e-4 of their size. Exit status 1 if anything differs.

  tools/compare_with_lm_eval.py build/release/inkstone --rows 40 --vocabulary ../shared/data/gpt2

Needs what tools/make_evaluate_fixtures.py needs.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import make_evaluate_fixtures as made


def inkstone(program, model, task, folder, fewshot):
    """Its results, and its logged samples."""
    log = folder / "samples.jsonl"
    words = [program, "eval", model, "--task", task, "--data", folder / f"rows_{task}.jsonl", "--log-samples", log, "--json",
             "--fewshot", fewshot]
    pool = folder / f"pool_{task}.jsonl"
    if fewshot and pool.exists():
        words += ["--fewshot-data", pool]
    out = subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout
    return json.loads(out), made.read_lines(log)


def key_of(sample):
    return json.dumps(sample["arguments"], sort_keys=True)


def numbers(answer):
    """(log-probability, greedy) of an answer as it is logged."""
    return (float(answer), None) if isinstance(answer, str) else (float(answer[0]), answer[1])


def compare_samples(expected, found):
    """What differs, and the largest difference of log-likelihoods."""
    wrong, largest = [], 0.0
    by_arguments = {key_of(sample): sample for sample in found}
    for sample in expected:
        same = by_arguments.get(key_of(sample))
        if same is None:
            wrong.append(f"no request like {key_of(sample)[:300]}")
            continue
        for theirs, ours in zip(sample["filtered_resps"], same["filtered_resps"], strict=True):
            (a, greedy), (b, greedy_here) = numbers(theirs), numbers(ours)
            largest = max(largest, abs(a - b))
            if greedy != greedy_here:
                wrong.append(f"greedy is {greedy} there, {greedy_here} here: {key_of(sample)[:300]}")
    if len(expected) != len(found):
        wrong.append(f"{len(expected)} samples there, {len(found)} here")
    if largest > 1e-4:
        wrong.append(f"log-likelihoods differ by {largest:.3g}")
    return wrong, largest


def compare_results(expected, found, path=""):
    """Members of lm-eval's results that are not so here."""
    if isinstance(expected, dict):
        return [line for key, value in expected.items()
                for line in compare_results(value, found.get(key) if isinstance(found, dict) else None, f"{path}/{key}")]
    exact = path.endswith(("/acc,none", "/acc_norm,none")) or not isinstance(expected, float) or not isinstance(found, (int, float))
    limit = 1e-12 if exact else 1e-4 * max(1.0, abs(expected))
    same = abs(expected - found) <= limit if isinstance(expected, float) and isinstance(found, (int, float)) else expected == found
    return [] if same else [f"{path[1:]}: {expected} there, {found} here"]


def compare_model(program, model, name, folder, tasks):
    reference, failed = made.Reference(model), 0
    for task in tasks:
        for fewshot in sorted({0, made.FEWSHOT.get(task, 0)}):
            results, expected = reference.run(task, folder, fewshot)
            ours, found = inkstone(program, model, task, folder, fewshot)
            wrong, largest = compare_samples(expected, found)
            wrong += compare_results(made.summary(results), ours)
            requests = sum(len(sample["arguments"]) for sample in expected)
            print(f"{name} {task}, {fewshot} examples: {len(expected)} rows, {requests} requests, "
                  f"largest difference {largest:.2g} nats: {'ok' if not wrong else 'DIFFERENT'}", flush=True)
            for line in wrong[:5]:
                print("   ", line)
            failed += bool(wrong)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=40, help="rows of each task")
    parser.add_argument("--tasks", nargs="+", default=list(made.SPLITS), choices=list(made.SPLITS))
    parser.add_argument("--vocabulary", type=pathlib.Path, help="folder with GPT-2's tokenizer.json and tokenizer_config.json")
    a = parser.parse_args()
    import transformers
    transformers.logging.set_verbosity_error()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        made.write_rows(folder, a.rows, pool=15)
        texts = made.row_texts(folder)
        made.make_model(folder / "small", made.small_tokenizer(texts), width=24, texts=texts)
        failed += compare_model(a.program.resolve(), folder / "small", "small", folder, a.tasks)
        if a.vocabulary:
            made.make_model(folder / "gpt2", transformers.AutoTokenizer.from_pretrained(a.vocabulary), width=16, texts=texts, steps=20)
            failed += compare_model(a.program.resolve(), folder / "gpt2", "GPT-2's vocabulary", folder, a.tasks)
    sys.exit(f"{failed} runs differ" if failed else 0)


if __name__ == "__main__":
    main()
