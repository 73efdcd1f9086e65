// Hugging Face's tokenizer.json, of byte-level BPE and of Inkstone's own vocabularies.
#pragma once

#include <string_view>

#include "tokenizer/tokenizer_spec.h"

namespace inkstone {

// Reads
// - a byte-level BPE: the pre-tokenizers of pre_tokenizer_json.h, the normalizer NFC or none, the
// decoder ByteLevel,
//   merges as "A B" or ["A", "B"], ignore_merges or not;
// - a character vocabulary: BPE with byte_fallback and without merges, normalizer and
// pre_tokenizer. truncation and padding are left aside, as AutoTokenizer does until it is told
// otherwise; the post_processor too, as with add_special_tokens=False. Throws kInvalidData on what
// is not a tokenizer.json, and kUnsupported on anything that would change the ids and is not
// implemented (other normalizers and models, dropout, ...), which is named.
TokenizerSpec parse_tokenizer_json(std::string_view text);

}  // namespace inkstone
