// The members "normalizer", "pre_tokenizer" and "post_processor" of a tokenizer.json.
#pragma once

#include "base/json.h"
#include "tokenizer/pre_tokenizer_spec.h"

namespace inkstone {

// The pre-tokenizer of a byte-level BPE: ByteLevel, or a Sequence of Split (a Regex or a String;
// Isolated, or Removed and inverted where nothing can be lost), Digits and Punctuation (Isolated or
// Contiguous) and at its end ByteLevel; nested sequences as well. Throws kUnsupported on anything
// else, naming it.
PreTokenizerSpec read_pre_tokenizer(const Json& json);

// The reverse, for a spec that comes from elsewhere than a tokenizer.json.
Json pre_tokenizer_json(const PreTokenizerSpec& spec);

// True for NFC, false for null and an empty Sequence; throws kUnsupported on any other normalizer.
bool read_is_nfc(const Json& normalizer);

// Accepts what adds no token but special ones (which encode() never adds) or moves offsets only:
// ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing, and a Sequence of those.
void check_post_processor(const Json& json);

}  // namespace inkstone
