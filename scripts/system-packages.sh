#!/bin/sh
# system-packages.sh NAME...: installs those that are missing, with apt and as root. NAME is one of
# libfuse2, fuse3, for tests nix, chromium, and for measurements gcc, squashfuse, squashfs-tools, nginx, wrk, curl.
# Where that is impossible it says what is missing and succeeds: most of tvix-store works without.
set -eu

# Looks for the thing itself rather than a package, so that other distributions are served too.
present() {
  case $1 in
    libfuse2) PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q 'libfuse\.so\.2 ' ;;
    fuse3) command -v fusermount3 >/dev/null ;;
    nix) command -v nix-store >/dev/null ;;
    chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    gcc) echo '#include <pthread.h>' | gcc -E -x c - >/dev/null 2>&1 ;;
    nginx) PATH="$PATH:/usr/sbin" command -v nginx >/dev/null ;;
    wrk|curl) command -v "$1" >/dev/null ;;
    squashfuse) command -v squashfuse_ll >/dev/null ;;
    squashfs-tools) command -v mksquashfs >/dev/null ;;
    *) echo "system-packages.sh: unknown: $1" >&2; exit 2 ;;
  esac
}

missing() {
  for name in "$@"; do
    present "$name" >/dev/null || case $name in
      nix) echo nix-bin ;;
      gcc) echo gcc libc6-dev ;;
      nginx) echo nginx-light ;;
      *) echo "$name" ;;
    esac
  done
}

packages=$(missing "$@" | tr '\n' ' ')
[ -n "$packages" ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing system packages: $packages" >&2
  export DEBIAN_FRONTEND=noninteractive
  options="-o Acquire::Retries=3 -o DPkg::Lock::Timeout=300"
  # shellcheck disable=SC2086 # both are lists of words
  {
    apt-get $options -qq update || echo "apt-get update failed; trying with the lists at hand" >&2
    # One at a time where they cannot be had together: not every distribution has them all.
    apt-get $options -qq -y --no-install-recommends install $packages ||
      for package in $packages; do
        apt-get $options -qq -y --no-install-recommends install "$package" || true
      done
  } </dev/null >/dev/null
  packages=$(missing "$@" | tr '\n' ' ')
fi

if [ -n "$packages" ]; then
  echo "Missing: $packages" >&2
  echo "On Debian or Ubuntu: sudo apt-get install --no-install-recommends $packages" >&2
  echo "Going on without: mounting needs libfuse2 and fuse3, the comparisons with Nix need nix-bin," >&2
  echo "the tests of pages need chromium." >&2
fi
