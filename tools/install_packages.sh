#!/usr/bin/env bash
# install_packages.sh PURPOSE...: installs the Debian packages of tools/packages.txt that are missing.
# Asks for root (through sudo) only when something is missing. Exit status 1: the packages could not be installed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
missing=()

say() { printf '%s\n' "$*" >&2; }

wanted() {
  local purpose
  for purpose in "$@"; do awk -v purpose="$purpose" '$1 == purpose { print $2 }' "$root/tools/packages.txt"; done
}

find_missing() {
  local package status
  while read -r package; do
    status=$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
    [[ $status == "ii "* || $status == "hi "* ]] || missing+=("$package")
  done < <(wanted "$@")
}

if [[ $# -eq 0 ]]; then
  say "usage: tools/install_packages.sh PURPOSE...   (the purposes are in tools/packages.txt: build, test, ...)"
  exit 2
fi
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "This system has no apt-get, so nothing was installed. What is needed, by its Debian names:"
  say "  $(wanted "$@" | tr '\n' ' ')"
  say "Going on; the configuration step names a library that it does not find."
  exit 0
fi

find_missing "$@"
[[ ${#missing[@]} -gt 0 ]] || exit 0

say "Packages to install: ${missing[*]}"
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    say "Installing needs root, and sudo is not there. As root, run:"
    say "  apt-get update && apt-get install ${missing[*]}"
    exit 1
  fi
  say "Installing needs root: sudo may ask for your password. (Nothing else here does.)"
  as_root=(sudo)
fi
apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 "$@"; }
# Lists that cannot be refreshed may still be good enough.
apt_get update >&2 || say "apt-get update failed; trying with the package lists that are there."
if ! apt_get install -y --no-install-recommends "${missing[@]}" >&2; then
  say "The packages could not be installed (apt-get's reason is above). Once that is solved, run this again."
  exit 1
fi
