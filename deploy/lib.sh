# Shell functions shared by deploy/quickstart and tests/run. Sourcing it does nothing.
# shellcheck shell=bash

weir_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# become_root SCRIPT ARGS...: returns if we are root, else starts over under sudo.
become_root() {
  [ "$(id -u)" -eq 0 ] && return
  command -v sudo >/dev/null || die "$(basename "$1") needs root and there is no sudo; run it as root"
  say "$(basename "$1") needs root (packages, hugepages, network devices): using sudo"
  exec sudo -- "$@"
}

# install_packages FILE...: Debian packages, one a line. Costs nothing when all are there.
install_packages() {
  local wanted installed missing log
  wanted=$(sort -u "$@")
  # dpkg-query fails when it has never heard of one of them.
  # shellcheck disable=SC2086  # One word a package.
  installed=$({ dpkg-query -W -f='${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || true; } |
    awk '$1 == "installed" { print $2 }' | sort -u)
  missing=$(comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$installed"))
  [ -z "$missing" ] && return
  say "installing $(wc -w <<<"$missing") packages (apt)"
  log=$(mktemp)
  # shellcheck disable=SC2086
  if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "apt could not install the packages above; is a Debian 12 mirror reachable?"
  fi
  rm -f "$log"
}

# build DIRECTORY "SETUP OPTIONS" [TARGET...]: configures once, then builds. Several files go into one
# translation unit: from nothing that takes a third of the time.
# NINJA names another ninja, as it does for meson.
build() {
  local directory=$weir_root/$1 options=$2
  shift 2
  if [ ! -f "$directory/build.ninja" ]; then
    say "building in $directory, which takes a few minutes the first time"
    # shellcheck disable=SC2086
    meson setup -Dunity=on -Dunity_size=16 $options "$directory" "$weir_root" >"$directory.log" 2>&1 ||
      { tail -n 20 "$directory.log" >&2; die "meson setup failed, see above"; }
    rm -f "$directory.log"
  fi
  "${NINJA:-ninja}" -C "$directory" --quiet "$@" || die "the build in $directory failed, see above"
}
