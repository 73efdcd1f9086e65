#!/usr/bin/env python3
"""Writes tests/fixtures/evaluate: a tiny model, rows of every task that `inkstone eval` has, and what lm-eval 0.4.13
logs and measures of them, offline. Nothing is downloaded: the rows are made here, with what the tasks' rules stumble over.

Needs lm_eval==0.4.13, transformers, tokenizers, torch and accelerate. The test programs only read the results.
"""
import json
import os
import pathlib
import random
import shutil
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1",
                  DISABLE_MULTIPROC="1", OMP_NUM_THREADS="1")
FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "evaluate"
CONTEXT = 64  # of the tiny models: short, so that requests are cut and pages take several windows

# Task: the split that lm-eval evaluates, and the one that it takes examples from (None: it takes none).
SPLITS = {
    "wikitext": ("test", None),
    "lambada_openai": ("test", "test"),
    "lambada_standard": ("test", "validation"),
    "hellaswag": ("validation", "train"),
    "piqa": ("validation", "train"),
    "arc_easy": ("test", "train"),
    "arc_challenge": ("test", "train"),
    "winogrande": ("validation", "train"),
    "openbookqa": ("test", "train"),
    "wsc273": ("test", "test"),
    "blimp": ("train", None),
}
PARADIGMS = ("adjunct_island", "complex_NP_island", "wh_island")
NAMES = ("Ana", "the heron", "Il'ja", "the old miller", "Zoë", "a clerk", "the Dutch twins", "Mr. Ström")
VERBS = ("carried", "could not find", "painted", "sold", "remembered", "washed", "lost", "praised")
THINGS = ("a lamp", "the blue boat", "seven letters", "her brother's coat", "the map of Łódź", "an anvil", "warm bread")
PLACES = ("by the river", "in the attic", "near 東京", "on a Tuesday", "before the rain", "without a word")
ODD = ("  twice", " (quietly)", " \u00a0", " \u2014 so they say", ' "again"', "\u2009", "", "", "")


def clause(rng):
    return " ".join(rng.choice(words) for words in (NAMES, VERBS, THINGS, PLACES))


def sentence(rng):
    text = clause(rng) + rng.choice(ODD)
    return text[0].upper() + text[1:]


def wikitext_page(rng):
    parts = [f" = {sentence(rng)} = \n \n"]
    for _ in range(rng.randrange(1, 7)):
        parts.append(f" {sentence(rng)} , {clause(rng)} @-@ wise : {rng.randrange(9)} @,@ 000 @.@ 5 ; ( or {clause(rng)} ) . ")
        parts.append(rng.choice((" \" {} \" ! \n", " [ {} ] ? \n", " { {} } N times \n", " the dogs ' {} 's \n",
                                 "\n = = {} = = \n", " /' 5/ {} ( \n", " 20 \u00b0 C {}\u2003\u2003\n")).replace("{}", clause(rng), 1))
    return "".join(parts)


def labelled(rng, texts, labels):
    return {"text": texts, "label": labels}, rng.choice(labels)


def choices(rng, count):
    return [rng.choice((clause, sentence))(rng) for _ in range(count)]


def wikitext(rng, i):
    return {"page": "" if i == 3 else wikitext_page(rng)}


def lambada(rng, i):
    words = " ".join(sentence(rng) + "." for _ in range(rng.randrange(1, 6)))
    return {"text": ("single", words + " end ", words + "  door", "<|endoftext|> " + words)[i % 4] if i % 3 == 0 else words}


def hellaswag(rng, i):
    ctx_a = f"[header] How to see {clause(rng)} [title] {sentence(rng)}  . [step] {clause(rng)}" if i % 2 else sentence(rng) + "."
    ctx_b = ("", "Ärger und ÉTÉ", "she", "ΟΔΟΣ ends", "ǆ first", "[step] then")[i % 6]
    endings = [f"{text}. [substeps] Then {clause(rng)}   ." if i % 2 else f" {text} [un\nclosed] ." for text in choices(rng, 4)]
    return {"ind": i, "activity_label": rng.choice(("Rowing", "Home and  Garden")), "ctx_a": ctx_a, "ctx_b": ctx_b,
            "ctx": f"{ctx_a} {ctx_b}", "endings": endings, "label": str(rng.randrange(4))}


def piqa(rng, i):
    sol1, sol2 = choices(rng, 2)
    return {"goal": f"How {clause(rng)}?" + ("\n" if i == 2 else ""), "sol1": sol1, "sol2": sol1 if i == 4 else sol2 + " 猫",
            "label": rng.randrange(2)}


def arc(rng, i):
    count = (4, 3, 5)[i % 3]
    labels = list("12345"[:count]) if i % 4 == 1 else list("ABCDE"[:count])
    listed, answer = labelled(rng, choices(rng, count), labels)
    return {"id": f"Q{i}", "question": sentence(rng) + " because " + " and ".join(choices(rng, i % 5)), "choices": listed,
            "answerKey": answer}


def openbookqa(rng, i):
    listed, answer = labelled(rng, choices(rng, 4), list("ABCD"))
    return {"id": f"7-{i}", "question_stem": sentence(rng) + (" ", "")[i % 2], "choices": listed,
            "answerKey": (" " if i % 3 == 0 else "") + answer}


def winogrande(rng, i):
    one, two = rng.sample(NAMES, 2)
    behind = "" if i == 5 else f" {rng.choice(VERBS)} it _twice_ {rng.choice(PLACES)}. "
    return {"sentence": f"{clause(rng)} so _{behind}", "option1": one, "option2": two, "answer": str(rng.randrange(1, 3))}


def wsc273(rng, i):
    one, two = rng.sample(("The mayor", "A cook", "the pilot", "Her sister", "It", "They and They"), 2)
    pronoun = rng.choice(("he", "His", "their", "it", "She"))
    start = f"{one} met {two} {rng.choice(PLACES)}" + rng.choice((" because ", ".  ", ". ", ", and "))
    if i == 1:
        start = ""
    return {"text": start + f"{pronoun} {rng.choice(VERBS)} {rng.choice(THINGS)}.", "pronoun": pronoun,
            "pronoun_loc": len(start.replace("  ", " ")), "quote": "", "quote_loc": 0, "options": [one, two],
            "label": rng.randrange(2), "source": "made here"}


def blimp(rng, i):
    good = sentence(rng)
    return {"sentence_good": good, "sentence_bad": " ".join(reversed(good.split(" "))), "UID": PARADIGMS[i * 5 % 7 % 3],
            "pair_id": i}


MAKERS = {"wikitext": wikitext, "lambada_openai": lambada, "lambada_standard": lambada, "hellaswag": hellaswag,
          "piqa": piqa, "arc_easy": arc, "arc_challenge": arc, "winogrande": winogrande, "openbookqa": openbookqa,
          "wsc273": wsc273, "blimp": blimp}


def make_rows(task, count, seed):
    rng = random.Random(f"{task} {seed}")
    return [MAKERS[task](rng, i) for i in range(count)]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(folder, count, pool):
    """rows_TASK.jsonl and pool_TASK.jsonl (rows for examples) of every task."""
    for task, (split, examples) in SPLITS.items():
        write_lines(folder / f"rows_{task}.jsonl", make_rows(task, count, 1))
        if examples not in (None, split):
            write_lines(folder / f"pool_{task}.jsonl", make_rows(task, pool, 2))


def row_texts(folder):
    """Every text of the rows, as the tiny models' training text."""
    def texts(value):
        if isinstance(value, str):
            return [value]
        members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return [text for member in members for text in texts(member)]
    rows = [row for path in sorted(folder.glob("rows_*")) for row in read_lines(path)]
    return [text for row in rows for text in texts(row) if " " in text]


def small_tokenizer(texts):
    """A byte-level BPE of few tokens, as GPT-2's."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<|endoftext|>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")


def train(model, ids, steps):
    """A little, so that some continuations are what greedy decoding writes."""
    import torch
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps):
        rng = random.Random(step)
        starts = [rng.randrange(len(ids) - CONTEXT) for _ in range(16)]
        batch = torch.stack([ids[start:start + CONTEXT] for start in starts])
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def make_model(folder, tokenizer, width, texts, steps=200):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(7)
    eos = tokenizer.eos_token_id
    config = GPT2Config(vocab_size=len(tokenizer), n_positions=CONTEXT, n_embd=width, n_layer=2, n_head=2,
                        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=eos, eos_token_id=eos)
    model = GPT2LMHeadModel(config)
    train(model, torch.tensor(tokenizer.encode(" ".join(texts))), steps)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


# A split of the task that is not in the files would be asked for.
SPLIT_KEYS = {"training_split": "train", "validation_split": "validation"}


def load_task(manager, name, task, folder):
    """lm-eval's own task, with local rows in the place of its data set."""
    split, examples = SPLITS[task]
    files = {split: str(folder / f"rows_{task}.jsonl")}
    if examples not in (None, split):
        files[examples] = str(folder / f"pool_{task}.jsonl")
    if task == "blimp":
        paradigm = name.removeprefix("blimp_")
        rows = [row for row in read_lines(folder / "rows_blimp.jsonl") if row["UID"] == paradigm]
        files = {split: str(folder / f"part_{paradigm}.jsonl")}
        write_lines(pathlib.Path(files[split]), rows)
    absent = {key: None for key, name in SPLIT_KEYS.items() if name not in files and task != "blimp"}
    overrides = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}, **absent}
    return manager._factory.build(manager.task_index[name], overrides=overrides, registry=manager._index)


def load_tasks(manager, task, folder):
    from lm_eval.api.group import AggMetricConfig, Group
    if task != "blimp":
        return [load_task(manager, task, task, folder)]
    group = Group(name="blimp", aggregate_metric_list=[AggMetricConfig(metric="acc", aggregation="mean", weight_by_size=False)],
                  metadata={"version": 2.0})
    for paradigm in PARADIGMS:
        group.add(load_task(manager, f"blimp_{paradigm}", task, folder))
    return [group]


class Reference:
    """lm-eval with a model."""

    def __init__(self, model):
        from lm_eval.models.huggingface import HFLM
        from lm_eval.tasks import TaskManager
        self.manager = TaskManager()
        self.model = HFLM(pretrained=str(model), device="cpu", dtype="float32", batch_size=8)

    def run(self, task, folder, fewshot=0):
        """Its results and, for every row, its logged sample in the form of its files."""
        import lm_eval
        results = lm_eval.simple_evaluate(model=self.model, tasks=load_tasks(self.manager, task, folder),
                                          num_fewshot=fewshot or None, log_samples=True)
        samples = [sample for rows in results.pop("samples").values() for sample in rows]
        return results, [logged(sample) for sample in samples]


def texts_of(value):
    if isinstance(value, (list, tuple)):
        return [texts_of(item) for item in value]
    return str(value)


def logged(sample):
    """As lm-eval's evaluation tracker writes it, without the hashes."""
    arguments = {f"gen_args_{i}": {f"arg_{j}": text for j, text in enumerate(request)}
                 for i, request in enumerate(sample["arguments"])}
    kept = {key: value for key, value in sample.items() if not key.endswith("_hash")}
    return {**kept, "arguments": arguments, "target": str(sample["target"]), "resps": texts_of(sample["resps"]),
            "filtered_resps": texts_of(sample["filtered_resps"])}


# Examples before each row, for a second run of the tasks that take some.
FEWSHOT = {"lambada_openai": 1, "lambada_standard": 2, "hellaswag": 2, "piqa": 3, "arc_easy": 1, "winogrande": 2,
           "openbookqa": 7, "wsc273": 2}


def summary(results):
    """The parts of lm-eval's results that Inkstone has too."""
    kept = ("results", "groups", "group_subtasks", "versions", "n-shot", "higher_is_better", "n-samples")
    return json.loads(json.dumps({key: results[key] for key in kept if key in results}, default=float))


def main():
    import transformers
    transformers.logging.set_verbosity_error()
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    write_rows(FIXTURES, count=8, pool=11)
    texts = row_texts(FIXTURES)
    make_model(FIXTURES / "model", small_tokenizer(texts), width=24, texts=texts)
    reference, results = Reference(FIXTURES / "model"), {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path in FIXTURES.glob("*.jsonl"):
            shutil.copy(path, folder)
        for task in SPLITS:
            for fewshot in sorted({0, FEWSHOT.get(task, 0)}):
                run, samples = reference.run(task, folder, fewshot)
                results[f"{task}_{fewshot}"] = summary(run)
                write_lines(FIXTURES / f"samples_{task}_{fewshot}.jsonl", samples)
    (FIXTURES / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
