#!/bin/bash
# base-python.sh OUT.tar.gz: a stand-in for docker.io/library/python:3.11-slim: bookworm's Python 3.11 with pip and apt,
# this machine's own certificates, apt mirror and pip settings. Cached by its recipe.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

PACKAGES=python3,python3-pip,ca-certificates,netbase,tzdata

# What comes from this machine: extra certificates and pip's settings
collect_machine_settings() {
  local into=$1
  mkdir -p "$into/ca"
  cp /usr/local/share/ca-certificates/*.crt "$into/ca/" 2>/dev/null || true
  if [ -n "${PIP_INDEX_URL:-}" ]; then printf '[global]\nindex-url = %s\n' "$PIP_INDEX_URL" > "$into/pip.conf"
  elif [ -r /etc/pip.conf ]; then cp /etc/pip.conf "$into/pip.conf"
  else : > "$into/pip.conf"; fi
  { mirror; mirror security; apt_options; } > "$into/apt"
}

# $1: settings, $2: result. mmdebstrap's hooks run with the tree as their $1
make_base() {
  local main security
  main=$(mirror) security=$(mirror security)
  # shellcheck disable=SC2016
  debian_tree --variant=apt --include="$PACKAGES" \
    --customize-hook='rm -f "$1"/usr/lib/python3.11/EXTERNALLY-MANAGED' \
    --customize-hook='for n in python python3; do ln -s /usr/bin/python3 "$1/usr/local/bin/$n"; done' \
    --customize-hook="cp $1/ca/*.crt \"\$1\"/usr/local/share/ca-certificates/ 2>/dev/null || true" \
    --customize-hook="install -m 644 $1/pip.conf \"\$1\"/etc/pip.conf" \
    --customize-hook='chroot "$1" update-ca-certificates' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin' \
    bookworm - "deb $main bookworm main" "deb $main bookworm-updates main" "deb $security bookworm-security main" |
    gzip -3 > "$2.part"
  mv "$2.part" "$2"
}

[ $# = 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
need_packages "${DEBIAN_PACKAGES[@]}"
mkdir -p "$BENCH"
settings=$(mktemp -d); trap 'rm -rf "$settings"' EXIT
collect_machine_settings "$settings"
key=$(find "$settings" -type f -print0 | sort -z | xargs -0 cat | cache_key <(declare -f make_base debian_tree) <(echo "$PACKAGES"))
cached=$BENCH/base-python-$key.tar.gz
exec 8> "$BENCH/base-python.lock"; flock 8
if [ -s "$cached" ]; then
  say "base image: cached"
else
  need_space "$BENCH" 2048
  step "base image from Debian packages (about a minute)" make_base "$settings" "$cached"
  # older recipes are of no more use
  find "$BENCH" -maxdepth 1 -name 'base-python-*.tar.gz' ! -path "$cached" -delete
fi
cp -p "$cached" "$1"
