#!/usr/bin/env python3
"""Writes tests/fixtures/completion: conversations as Transformers and TRL encode, mask, pack and train them.

Needs torch, transformers and trl (made with trl 1.16 and transformers 5.24). The test programs only read the result:
  goldens.json    of three templates of turns: the template, its Jinja, and of each conversation the ids and the mask
                  of apply_chat_template and the ids of the prompt before its last turn; of pairs {prompt, completion}
                  the ids and the mask of SFTTrainer and the loss of the model; windows of trl.pack_dataset
  pairs.jsonl     the pairs
  model/          a small GPT-2 with random weights, and its tokenizer
"""
import json
import pathlib
import tempfile

import datasets
import torch
import transformers
import trl

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "fixtures" / "completion"

TEMPLATES = {
    "turns": {"version": 1, "begin": "", "roles": {
        "system": {"before": "System:\n", "after": "\n\n"}, "user": {"before": "User:\n", "after": "\n\n"},
        "assistant": {"before": "Assistant:\n", "after": ""}}},
    "plain": {"version": 1, "begin": "", "roles": {
        name: {"before": "", "after": ""} for name in ["system", "user", "assistant"]}},
    # Special tokens, quotation marks, backslashes, characters beyond ASCII, blanks that join with the content.
    "own": {"version": 1, "begin": "<pad>", "roles": {
        "user": {"before": "'Q' \\ \"é\": ", "after": "<pad>\t"}, "assistant": {"before": "A: ", "after": "\n--\n"},
        "tool": {"before": "<|endoftext|>tool ", "after": "。"}}},
}

CONVERSATIONS = [
    [("user", "What is the time?"), ("assistant", "Ten.")],
    [("system", "Be short."), ("user", "the king"), ("assistant", "of the land"), ("user", "and then"),
     ("assistant", " he went.\n")],
    [("user", ""), ("assistant", "Nothing was asked.")],
    [("user", "  two blanks "), ("assistant", "\n\nlines"), ("user", "more"), ("assistant", "x")],
    [("user", "你好，世界"), ("assistant", "naïve 🙂"), ("user", "a last word")],
    [("assistant", "I begin."), ("user", "and I"), ("assistant", "end")],
    [("tool", "{\"a\": 1}"), ("user", "so"), ("assistant", "yes")],
]

PAIRS = [("2 + 2 =", " 4"), ("the capital of the land is", " the king"), ("Once upon a ", "time there was"),
         ("", "no prompt at all"), ("Q: what\nA:", " that"), ("long prompt " * 6, "short"),
         ("short\n", "a long completion, " * 5), ("他说：\n", "好。")]


def quoted(text):
    for plain, escaped in [("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")]:
        text = text.replace(plain, escaped)
    return "'" + text + "'"


def shown(text):
    return "{{ " + quoted(text) + " }}" if text else ""


def jinja(template):
    """The template in Jinja, as inkstone's jinja_of writes it."""
    text, word = shown(template["begin"]) + "{% for message in messages %}", "if"
    for name, role in template["roles"].items():
        content = "{{ message['content'] }}"
        if name == "assistant":
            content = "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}"
        text += "{% " + word + " message['role'] == " + quoted(name) + " %}"
        text += shown(role["before"]) + content + shown(role["after"])
        word = "elif"
    text += ("{% else %}{{ raise_exception('the template has no role ' + message['role']) }}{% endif %}"
             "{% endfor %}")
    before = template["roles"]["assistant"]["before"]
    return text + ("{% if add_generation_prompt %}" + shown(before) + "{% endif %}" if before else "")


def make_tokenizer():
    return transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(ROOT / "tests" / "fixtures" / "tokenizer" / "bpe.json"), eos_token="<|endoftext|>",
        bos_token="<|endoftext|>", pad_token="<pad>")


def of_conversation(tokenizer, template, conversation):
    messages = [{"role": role, "content": content} for role, content in conversation]
    arguments = {"chat_template": template, "tokenize": True, "return_dict": True}
    whole = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, **arguments)
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, **arguments)
    return {"turns": conversation, "ids": whole["input_ids"], "mask": whole["assistant_masks"],
            "prompt_ids": prompt["input_ids"]}


def of_templates(tokenizer):
    goldens = {}
    for name, template in TEMPLATES.items():
        text = jinja(template)
        fitting = [c for c in CONVERSATIONS if all(role in template["roles"] for role, _ in c)]
        goldens[name] = {"template": template, "jinja": text,
                         "conversations": [of_conversation(tokenizer, text, c) for c in fitting]}
    return goldens


def make_model():
    torch.manual_seed(7)
    config = transformers.GPT2Config(vocab_size=420, n_positions=64, n_embd=24, n_layer=2, n_head=2, resid_pdrop=0.0,
                                     embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
                                     initializer_range=0.1)
    return transformers.GPT2LMHeadModel(config)


def sft_trainer(model, tokenizer, folder, **options):
    data = datasets.Dataset.from_list([{"prompt": p, "completion": c} for p, c in PAIRS])
    arguments = trl.SFTConfig(output_dir=folder, max_length=64, report_to=[], use_cpu=True, bf16=False, **options)
    return trl.SFTTrainer(model=model, args=arguments, train_dataset=data, processing_class=tokenizer)


def labels_of(row):
    """What TRL 1.16 trains of a row of its prepared data."""
    if "labels" in row:
        return list(row["labels"])
    mask = row["completion_mask"]
    return [id if trained else -100 for id, trained in zip(row["input_ids"], mask)]


def of_pairs(model, tokenizer):
    """Each pair alone: the first label has nothing before it. The loss over all trained tokens together."""
    with tempfile.TemporaryDirectory() as folder:
        rows = list(sft_trainer(model, tokenizer, folder, completion_only_loss=True).train_dataset)
    model.double()
    pairs, total, count = [], 0.0, 0
    for (prompt, completion), row in zip(PAIRS, rows):
        ids, labels = list(row["input_ids"]), labels_of(row)
        logits = model(torch.tensor([ids])).logits[0, :-1]
        targets = torch.tensor(labels[1:])
        total += torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum").item()
        count += int((targets != -100).sum())
        pairs.append({"prompt": prompt, "completion": completion, "ids": ids,
                      "mask": [0] + [int(label != -100) for label in labels[1:]]})
    return {"pairs": pairs, "trained_tokens": count, "loss": total / count}


def of_packing():
    """Lengths of texts, and those of the windows that best fit makes of them, longest window first."""
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(1, 33, (200,), generator=generator).tolist()
    packed = trl.pack_dataset(datasets.Dataset.from_dict({"input_ids": [[0] * n for n in lengths]}), 32, "bfd")
    windows = sorted(sorted(row["seq_lengths"], reverse=True) for row in packed)
    return {"length": 32, "texts": lengths, "windows": windows}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    tokenizer, model = make_tokenizer(), make_model()
    model.save_pretrained(FOLDER / "model")
    tokenizer.save_pretrained(FOLDER / "model")
    goldens = {"templates": of_templates(tokenizer), "sft": of_pairs(model, tokenizer), "packing": of_packing()}
    text = json.dumps(goldens, ensure_ascii=False, separators=(",", ":"))
    (FOLDER / "goldens.json").write_text(text + "\n", encoding="utf-8")
    lines = [json.dumps({"prompt": p, "completion": c}, ensure_ascii=False) for p, c in PAIRS]
    (FOLDER / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
