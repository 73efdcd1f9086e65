// The first reading of a corpus: what is in it and which part each document belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/read/documents.h"

namespace inkstone {

// A file to be read, and how to call it in reports (standard input is read from a copy).
struct CorpusFile {
  std::filesystem::path path;
  std::string source;
};

// A file that has documents.
struct ScannedFile {
  CorpusFile file;
  size_t first_document = 0;  // its number in the corpus
  size_t documents = 0;
  uint64_t fingerprint = 0;   // of the hashes of its documents: has it changed since?
};

struct CorpusScan {
  std::vector<ScannedFile> files;
  std::vector<bool> validates;  // per document, in the order read
  int64_t bytes = 0;            // of documents
  int64_t characters = 0;       // code points; an invalid sequence counts as one, as in Python with errors="replace"
  int64_t invalid_utf8_documents = 0;
  int64_t inline_marks = 0;     // documents with "<|endoftext|>" inside a line
  std::vector<DroppedDocument> dropped;
};

// Called now and then with the bytes read so far.
using OnBytes = std::function<void(int64_t bytes)>;

// Reads every file once, in bounded memory. Files without text and blank documents go to `dropped`.
CorpusScan scan_corpus(const std::vector<CorpusFile>& files, double val_fraction, const OnBytes& on_bytes);

// Code points of `text`; sets *valid to false when some sequence is not UTF-8.
int64_t count_characters(std::string_view text, bool* valid);

// Mixes the hash of one more document into a file's fingerprint.
uint64_t next_fingerprint(uint64_t fingerprint, uint64_t document_hash);

}  // namespace inkstone
