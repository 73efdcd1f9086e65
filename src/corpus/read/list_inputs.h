// Finding the files of a corpus.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "inkstone/reading.h"

namespace inkstone {

// The files below `inputs`, folders walked recursively, in a stable order (sorted by path inside
// each input, inputs in the order given). Inside a folder, hidden files and folders and whatever is
// not a file are left out. Symbolic links are followed; a file or folder that was met before, by
// whatever name, is left out, so that links in a circle end. The folder `output` is left out too:
// no program should read what it writes. An input that is named itself may also be a pipe or a
// device; "-" stays as it is and means standard input. An input that is not there is, when it
// begins with "@", a list: each line of the file behind the "@" names an input (blank lines count
// for nothing, and a list names no list); and when it has one of "*?[", a pattern (glob(7)), which
// stands for all that it matches, sorted. Each thing left out adds a line to *left_out. A missing
// input, a list that cannot be read and a pattern that matches nothing throw kNotFound.
std::vector<std::filesystem::path> list_inputs(const std::vector<std::filesystem::path>& inputs,
                                               std::vector<DroppedDocument>* left_out = nullptr,
                                               const std::filesystem::path& output = {});

}  // namespace inkstone
