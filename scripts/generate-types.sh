#!/bin/sh
# Makes src/gen/, the types of the messages and services in protos/, unless it is newer than these. Both
# families of names have the same messages, so one set of types is enough.
set -eu
cd "$(dirname "$0")/.."

stamp=src/gen/.made
if [ -e "$stamp" ] && [ -z "$(find protos package-lock.json "$0" -newer "$stamp")" ]; then
  exit 0
fi

rm -rf src/gen
node_modules/.bin/proto-loader-gen-types \
  --keepCase --longs=String --enums=String --defaults --oneofs \
  --targetFileExtension=.ts --importFileExtension=.js \
  --includeDirs protos --outDir src/gen \
  tvix/castore/protos/rpc_blobstore.proto \
  tvix/castore/protos/rpc_directory.proto \
  tvix/store/protos/rpc_pathinfo.proto
touch "$stamp"
