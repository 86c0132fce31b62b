#!/bin/sh
# Imports a real tree and a few programs into the embedded store and mounts it until Ctrl-C.
# Where mounting is impossible it says why and looks at the tree with `ls` and `cat` instead.
#   TREE             what to import, /usr/share/doc unless given
#   TVIX_STORE_DIR   where the store is kept
set -eu
cd "$(dirname "$0")/.."
here=$(pwd -P)

tvix() { node dist/cli/main.js "$@"; }

tree=${TREE:-/usr/share/doc}
if [ -z "${TREE:-}" ] && [ -z "$(ls -A "$tree" 2>/dev/null)" ]; then tree=docs; fi
tree=$(cd "$tree" && pwd)

if [ "$(id -u)" -eq 0 ]; then
  usual=/var/lib/tvix-store
else
  usual=${XDG_DATA_HOME:-$HOME/.local/share}/tvix-store
fi
store=${TVIX_STORE_DIR:-$usual}
if ! { mkdir -p "$store" && [ -w "$store" ]; } 2>/dev/null; then
  store=${TMPDIR:-/tmp}/tvix-store-$(id -u)
fi
export TVIX_STORE_DIR="$store"

# Import.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$work/programs/bin"
cp -L "$(command -v ls)" "$work/programs/bin/ls"
printf '#!/bin/sh\necho "Hello from $0"\n' >"$work/programs/bin/hello"
chmod +x "$work/programs/bin/hello"
ln -s hello "$work/programs/bin/greet"

echo "Importing $tree and two programs into $store"
tvix import "$tree" "$work/programs" >"$work/paths"
tree_path=$(sed -n 1p "$work/paths")
programs_path=$(sed -n 2p "$work/paths")
rm -rf "$work"
echo "  $tree_path"
echo "  $programs_path"

# A small file that is likely to be text, relative to the tree.
file=$(cd "$tree" && find . -type f -size +0 -size -9 ! -name '*.gz' | sort | sed -n '1s|^\./||p')

# Mount.
mounted_on() {
  awk -v at="$1" '{ gsub(/\\040/, " ", $5) } $5 == at { found = 1 } END { exit !found }' \
    /proc/self/mountinfo
}

# Nothing is there, or only a mount whose server died.
free() {
  if mounted_on "$1"; then
    ! timeout 5 stat "$1" >/dev/null 2>&1
  else
    [ -z "$(ls -A "$1" 2>/dev/null)" ]
  fi
}

at=$here/store
if [ "$(id -u)" -eq 0 ] && free /nix/store && mkdir -p /nix/store 2>/dev/null; then
  at=/nix/store
fi
tree_at=$at/${tree_path##*/}
programs_at=$at/${programs_path##*/}

say_what_to_try() {
  cat <<END

Try in another shell:

  ls -l $at
  cat '$tree_at/$file'
  $programs_at/bin/greet
  $programs_at/bin/ls -l $tree_at
  diff -r --no-dereference $tree $tree_at && echo equal

Ctrl-C here unmounts.
END
}

look_without_mount() {
  cat <<END

Without a mount the store can be looked at with tvix-store itself:

\$ tvix-store ls -l $programs_path/bin
$(tvix ls -l "$programs_path/bin")

\$ tvix-store cat $tree_path/$file
$(tvix cat "$tree_path/$file" | sed -n 1,5p)

To go on:

  alias tvix-store=$here/dist/cli/main.js
  export TVIX_STORE_DIR=$store
  tvix-store ls $tree_path
END
}

echo
(
  while ! mounted_on "$at"; do sleep 0.2; done
  say_what_to_try
) &
waiting=$!

# Ctrl-C reaches the server as well, which ends cleanly; this shell only has to outlive it.
trap : INT TERM HUP
code=0
tvix mount "$at" || code=$?
kill "$waiting" 2>/dev/null || true
case $code in
  0) echo "Unmounted. The store stays in $store." ;;
  1) look_without_mount ;;
  *) exit "$code" ;;
esac
