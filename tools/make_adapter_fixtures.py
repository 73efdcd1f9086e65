#!/usr/bin/env python3
"""Makes golden data of LoRA adapters with PEFT.

For each case: a folder as PEFT saves it, of random numbers, and golden.safetensors with token windows and the float32
logits of the model with the adapter beside its weights (not merged). The models are those of tests/fixtures/model.

  make_adapter_fixtures.py tests/fixtures
"""
import argparse
import pathlib
import warnings

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import GPT2LMHeadModel

ALL = ["c_attn", "c_proj", "c_fc"]

# name: (model, rows that the vocabulary grows by, arguments of LoraConfig)
CASES = {
    "plain": ("two_layers", 0, {"r": 4, "lora_alpha": 6, "target_modules": ["c_attn"]}),
    "all_rslora": ("two_layers", 0, {"r": 3, "lora_alpha": 5, "target_modules": ALL, "use_rslora": True,
                                     "lora_dropout": 0.1}),
    "all_dora": ("two_layers", 0, {"r": 2, "lora_alpha": 4, "target_modules": ALL, "use_dora": True}),
    "patterns": ("inverse_layer_scale", 0,
                 {"r": 2, "lora_alpha": 3, "target_modules": ["c_attn", "mlp.c_proj"], "layers_to_transform": [0, 2],
                  "rank_pattern": {"mlp.c_proj": 5}, "alpha_pattern": {r"^transformer\.h\.2\.attn\.c_attn": 7}}),
    "regex_biases": ("two_layers", 0, {"r": 2, "lora_alpha": 2, "target_modules": r".*\.mlp\.c_(fc|proj)",
                                       "bias": "lora_only"}),
    "all_biases": ("one_head_odd_width", 0, {"r": 2, "lora_alpha": 2, "target_modules": "all-linear", "bias": "all",
                                             "modules_to_save": ["ln_f"]}),
    "embeddings": ("two_layers", 0, {"r": 2, "lora_alpha": 2, "target_modules": ["wte", "wpe", "c_attn"]}),
    "embeddings_dora": ("two_layers", 0, {"r": 2, "lora_alpha": 2, "target_modules": ["wte", "c_fc"],
                                          "use_dora": True}),
    "output": ("two_layers", 0, {"r": 2, "lora_alpha": 4, "target_modules": ["lm_head", "c_attn"]}),
    "own_output": ("erf_narrow_untied", 0, {"r": 2, "lora_alpha": 4, "target_modules": ["lm_head", "c_fc"]}),
    "whole_embeddings": ("two_layers", 0, {"r": 2, "lora_alpha": 4, "target_modules": ["c_attn"],
                                           "modules_to_save": ["wte", "lm_head"]}),
    "whole_input": ("two_layers", 0, {"r": 2, "lora_alpha": 4, "target_modules": ["c_attn"],
                                      "modules_to_save": ["wte"]}),
    "grown": ("two_layers", 5, {"r": 2, "lora_alpha": 4, "target_modules": ["c_attn"]}),
    "no_biases": ("relu_no_biases", 0, {"r": 2, "lora_alpha": 4, "target_modules": ALL}),
}


def is_adapted(name):
    return "lora_" in name or "modules_to_save" in name


def change(model, config):
    """No part of the adapter is nothing."""
    for name, parameter in model.named_parameters():
        is_bias = config.bias != "none" and parameter.requires_grad and name.endswith(".bias")
        if not is_adapted(name) and not is_bias:
            continue
        if "magnitude" in name:
            parameter.data.mul_(1 + 0.2 * torch.rand_like(parameter))
        else:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)


def make(name, fixtures):
    base, growth, arguments = CASES[name]
    torch.manual_seed(20261)
    model = GPT2LMHeadModel.from_pretrained(fixtures / "model" / base, dtype=torch.float32)
    vocabulary = model.config.vocab_size + growth
    if growth:
        model.resize_token_embeddings(vocabulary)
    config = LoraConfig(task_type="CAUSAL_LM", fan_in_fan_out=True, **arguments)
    model = get_peft_model(model, config)
    change(model, config)
    model.eval()
    tokens = torch.randint(vocabulary, (2, 11))
    with torch.no_grad():
        logits = model(tokens).logits
    folder = fixtures / "adapter" / name
    model.peft_config["default"].base_model_name_or_path = f"../../model/{base}"
    model.save_pretrained(folder, save_embedding_layers=bool(growth))
    (folder / "README.md").unlink(missing_ok=True)
    save_file({"tokens": tokens.to(torch.int32), "logits": logits.contiguous()}, folder / "golden.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fixtures", type=pathlib.Path)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    for name in CASES:
        make(name, arguments.fixtures)


if __name__ == "__main__":
    main()
