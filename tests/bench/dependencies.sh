# shellcheck shell=bash disable=SC2154
# Dependencies that are compiled already, for a clone that has nothing. Sourced beside lib.sh, never run.
#
#   $BENCH/dependencies-KEY   what cargo made of them: a copy of a target directory without anything of this package

NEW_DEPENDENCIES=''   # where to keep what is about to be made

# Their versions and features, the profiles, the compiler, and what it is told
dependencies_key() {
  { rustc -vV; env | grep -E '^(RUSTFLAGS|CARGO_(PROFILE|BUILD|ENCODED)_)' | sort || true
    awk '/^\[/ { of = /dependencies|features|profile/ } of' "$REPO/Cargo.toml"; } | cache_key "$REPO/Cargo.lock"
}

# A target directory that is there already is left alone
seed_dependencies() {
  local kept
  [ ! -e "$TARGETS/debug" ] && [ ! -e "$TARGETS/release" ] || return 0
  kept=$BENCH/dependencies-$(dependencies_key)
  if [ -d "$kept" ]; then
    mkdir -p "$TARGETS"
    step 'dependencies: taken from the cache' cp -a "$kept/." "$TARGETS"
  else
    NEW_DEPENDENCIES=$kept
  fi
}

# What was made of them for a clone that had nothing, and of the clone itself nothing
keep_dependencies() {
  local profile part=$NEW_DEPENDENCIES.part file own=(-name 'stockade-*' -o -name 'libstockade-*')
  [ -n "$NEW_DEPENDENCIES" ] || return 0
  rm -rf "$BENCH"/dependencies-*
  for profile in debug release "$STATIC_TARGET"/debug "$STATIC_TARGET"/release; do
    [ -d "$TARGETS/$profile/deps" ] || continue
    mkdir -p "$part/$profile"
    cp -a "$TARGETS/$profile"/{.fingerprint,build,deps} "$part/$profile" || { rm -rf "$part"; return 0; }
  done
  while read -r file; do own+=(-o -name "$file-*"); done < <(test_names)
  find "$part" -mindepth 3 \( "${own[@]}" \) -prune -exec rm -rf {} +
  mv "$part" "$NEW_DEPENDENCIES"
  say "dependencies: kept, $(du -sm "$NEW_DEPENDENCIES" | cut -f1) MiB"
}
