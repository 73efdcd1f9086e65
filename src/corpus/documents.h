// Finding and reading the documents of a corpus: files, folders, standard input.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace inkstone {

// The files below `inputs`, folders walked recursively, in a stable order (sorted by path inside each
// input, inputs in the order given); hidden files and folders inside a folder are left out. A missing
// input throws kNotFound. "-" stays as it is and means standard input.
std::vector<std::filesystem::path> list_inputs(const std::vector<std::filesystem::path>& inputs);

// A file's text: bytes as they are, but a UTF-8 byte order mark at the start is removed.
// nullopt with a reason in `why_not` for empty, binary (a NUL byte in the first 64 KiB) or unreadable files.
std::optional<std::string> read_document_file(const std::filesystem::path& path, std::string& why_not);

// Splits a file's text into documents at lines that are exactly "<|endoftext|>"; blank documents are left out.
std::vector<std::string> split_documents(std::string text);

}  // namespace inkstone
