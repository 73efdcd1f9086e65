// copy_adapter ADAPTER MODEL FOLDER: reads an adapter and writes it again, for
// tools/check_adapters.py.
#include <cstdio>
#include <exception>

#include "base/file.h"
#include "model/adapter.h"

int main(int argc, char** argv) {
  using namespace inkstone;
  if (argc != 4) return 2;
  try {
    make_folders(argv[3]);
    write_adapter(argv[3], read_adapter(argv[1], load_config(argv[2])));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "copy_adapter: %s\n", e.what());
    return 1;
  }
  return 0;
}
