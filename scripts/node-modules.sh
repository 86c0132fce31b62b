#!/bin/sh
# Installs node_modules as package-lock.json says, unless that was done already.
set -eu
cd "$(dirname "$0")/.."

stamp=node_modules/.installed
wanted="$(sha256sum <package-lock.json | cut -d ' ' -f 1) $(node -p '`${process.arch} ABI ${process.versions.modules}`')"
[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || exit 0

# Native code is compiled against the headers of this very Node where it brought them along;
# node-gyp would download them.
prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
if [ -e "$prefix/include/node/node.h" ]; then
  export npm_package_config_node_gyp_nodedir="$prefix"
fi

echo "Installing node_modules" >&2
if PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q 'libfuse\.so\.2 '; then
  npm ci --include=dev --no-progress >&2
else
  # Without libfuse2 the install script of fuse-native fails, and would take everything with it.
  npm ci --include=dev --no-progress --ignore-scripts >&2
  npm rebuild @c4312/blake3-native >&2 || true
  npm rebuild blake3 >&2
fi

if [ ! -e node_modules/@c4312/blake3-native/build/Release/blake3.node ]; then
  echo "BLAKE3 could not be compiled (it takes python3, make and g++): hashing uses WebAssembly." >&2
fi
echo "$wanted" >"$stamp"
