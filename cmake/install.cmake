# install target: the program, and the library with its public headers for find_package(inkstone).
