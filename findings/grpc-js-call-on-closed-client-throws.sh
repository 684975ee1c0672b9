#!/usr/bin/env bash
# @grpc/grpc-js 1.14.7: a call that begins on a client which was closed a moment ago neither calls back nor emits an error
# with a gRPC status. The function that begins it throws a plain Error without `code`, `details` or `metadata`. Whoever tells
# "the peer is away" from "a bug of mine" by the status takes the race between a call and a close for a bug. (A call that
# had begun before the close is told with a status, 14 UNAVAILABLE.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent --ignore-scripts @grpc/grpc-js@1.14.7
cat > try.cjs <<'END'
const grpc = require('@grpc/grpc-js');
const same = (value) => value;
const client = new grpc.Client('127.0.0.1:9', grpc.credentials.createInsecure());
let calledBack = false;
client.close();
try {
  client.makeUnaryRequest('/a.B/C', same, same, Buffer.alloc(0), () => void (calledBack = true));
  console.log('did not throw');
} catch (error) {
  setTimeout(() => console.log(`threw ${error.constructor.name}: ${error.message}; code ${error.code}; called back: ${calledBack}`), 500);
}
END
seen=$(node try.cjs)
echo "@grpc/grpc-js 1.14.7: $seen"
[ "$seen" = 'threw Error: Channel has been shut down; code undefined; called back: false' ]
