// Hugging Face's tokenizer.json, as far as GPT-2 and Inkstone's own vocabularies use it.
#pragma once

#include <string_view>

#include "tokenizer/tokenizer_spec.h"

namespace inkstone {

// Reads
// - a byte-level BPE: pre_tokenizer ByteLevel (without prefix space, with its regular expression)
//   and decoder ByteLevel, merges as "A B" or ["A", "B"], ignore_merges or not;
// - a character vocabulary: BPE with byte_fallback and without merges and pre_tokenizer.
// truncation and padding are left aside, as AutoTokenizer does until it is told otherwise. Throws
// kInvalidData on what is not a tokenizer.json, and kUnsupported on anything that would change the
// ids and is not implemented (normalizers, other models, dropout, ...), which is named.
TokenizerSpec parse_tokenizer_json(std::string_view text);

}  // namespace inkstone
