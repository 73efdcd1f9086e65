// The tokenizer in the metadata of a GGUF file: the keys "tokenizer.ggml.*".
#pragma once

#include <vector>

#include "formats/gguf.h"
#include "tokenizer/tokenizer_spec.h"

namespace inkstone {

// Reads a byte-level BPE (model "gpt2") whose pre-tokenizer ("tokenizer.ggml.pre") goes by a name
// of which the pieces are known; where a file of a GPT-2 names none, GPT-2's. The pieces are those
// of the tokenizer.json that llama.cpp's name stands for; normalizers, which GGUF cannot name,
// there are none. Tokens of the types control and unknown are special, those that users defined are
// special and no control tokens, unused ones (padding of the vocabulary) have no text. The ids that
// begin and end a text are the file's; add_bos_token and add_eos_token are left aside, as encode()
// adds no token. Throws kUnsupported on another model or name, and kInvalidData on lists that are
// not there, not of one length, or of other values.
TokenizerSpec read_gguf_tokenizer(const Gguf& gguf);

// The reverse, for a model of `vocab_size` ids: ids that no token has are "[PAD7]", of the type
// unused. Throws kUnsupported on what llama.cpp would encode otherwise: vocabularies of characters
// or bytes, a normalizer, a space in front, a pre-tokenizer that has no name there, and a
// vocabulary without an end mark (llama.cpp takes token 11 for it); kMismatch when the tokenizer
// has more ids than the model. That a special token takes the white space beside it, GGUF cannot
// say. A template of turns is written twice: in Jinja ("tokenizer.chat_template"), and as its own
// file ("inkstone.turn_template"), which is what the reader takes.
std::vector<GgufEntry> gguf_tokenizer_metadata(const Tokenizer& tokenizer, int64_t vocab_size);

}  // namespace inkstone
