// Finds the trained spans of a prepared folder.
#pragma once

#include <optional>
#include <string_view>

#include "corpus/load/batch_loader.h"
#include "formats/trained_spans.h"

namespace inkstone {

// Those of `split` ("train", "val"), whose tokens `stream` has. nullopt: every token is trained.
// Throws kInvalidData when report.json lists a file that is not there or has another checksum, when
// there is one that it does not list, and when the spans are of another number of tokens.
std::optional<TrainedSpans> find_trained_spans(const TokenStream& stream, std::string_view split);

}  // namespace inkstone
