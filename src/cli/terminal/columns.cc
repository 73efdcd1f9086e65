#include "cli/terminal/columns.h"

#include <algorithm>

#include "base/utf8.h"
#include "cli/terminal/clusters.h"

namespace inkstone::cli {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string blanks_to(std::string_view text, size_t columns) {
  const size_t own = text_columns(text);
  return std::string(columns > own ? columns - own : 0, ' ');
}

}  // namespace

size_t text_columns(std::string_view text) {
  if (is_ascii(text)) return text.size();
  size_t columns = 0;
  for (const Cluster& cluster : clusters_of(replace_invalid_utf8(text)))
    columns += static_cast<size_t>(cluster.columns);
  return columns;
}

std::string within_columns(std::string_view text, size_t columns) {
  if (is_ascii(text)) return std::string(text.substr(0, columns));
  const std::string valid = replace_invalid_utf8(text);
  size_t taken = 0;
  for (const Cluster& cluster : clusters_of(valid)) {
    taken += static_cast<size_t>(cluster.columns);
    if (taken > columns) return valid.substr(0, cluster.begin);
  }
  return valid;
}

std::string left_aligned(std::string_view text, size_t columns) {
  return std::string(text) + blanks_to(text, columns);
}

std::string right_aligned(std::string_view text, size_t columns) {
  return blanks_to(text, columns) + std::string(text);
}

std::string aligned_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(row.size());
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], text_columns(row[i]));
  }
  std::string table;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i)
      table += i == 0 ? left_aligned(row[i], widths[i]) : "  " + right_aligned(row[i], widths[i]);
    table.erase(table.find_last_not_of(' ') + 1);
    table += '\n';
  }
  return table;
}

}  // namespace inkstone::cli
