#!/bin/sh
# Prepares this machine: system packages, then node_modules. A second run finds nothing to do.
# Its arguments are more packages to install: "nix" and "chromium", which only the tests use.
set -eu
cd "$(dirname "$0")/.."

node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    console.error(`tvix-store needs Node 20.19 or newer; this is ${process.version}.`);
    process.exit(1);
  }'

# libfuse2 comes before node_modules: fuse-native looks for it when it is installed.
sh scripts/system-packages.sh libfuse2 fuse3 "$@"
sh scripts/node-modules.sh
