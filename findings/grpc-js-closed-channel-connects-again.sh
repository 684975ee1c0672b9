#!/usr/bin/env bash
# @grpc/grpc-js 1.14.7: a channel that is closed while its address refuses connections goes on waiting for its next attempt,
# and connects when its time has come. Nothing owns that connection any more. A program that replaces its client at each
# outage is found with as many sockets as it has had clients, all to the peer that has just come back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent --ignore-scripts @grpc/grpc-js@1.14.7
cat > try.cjs <<'END'
const grpc = require('@grpc/grpc-js');
const net = require('node:net');
const CLIENTS = 5;
const probe = net.createServer().listen(0, '127.0.0.1', () => {
  const { port } = probe.address();
  probe.close(() => {
    // A setting of its own for each: equal ones would share one connection.
    const clients = Array.from({ length: CLIENTS }, (_, i) => new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), { 'grpc.keepalive_timeout_ms': 5000 + i }));
    for (const client of clients) client.waitForReady(Date.now() + 100, () => client.close());
    setTimeout(() => {
      let connections = 0;
      const peer = net.createServer((socket) => (connections++, socket.on('error', () => undefined))).listen(port, '127.0.0.1');
      setTimeout(() => {
        console.log(`${connections} connections of ${CLIENTS} closed clients`);
        process.exit();
      }, 4000);
    }, 300);
  });
});
END
seen=$(node try.cjs)
echo "@grpc/grpc-js 1.14.7: $seen"
[ "$seen" = '5 connections of 5 closed clients' ]
