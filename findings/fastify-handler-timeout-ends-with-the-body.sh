#!/usr/bin/env bash
# fastify 5.12.8: `handlerTimeout` limits a handler of a request without a body, and one of app.inject. Over HTTP, of a POST
# whose body was read, nothing limits the handler: the answer comes whenever it is done. A webhook's limit that is tested
# with app.inject looks right and is not there in production.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --no-audit --no-fund --silent --ignore-scripts fastify@5.12.8
cat > try.cjs <<'END'
const fastify = require('fastify');
const slow = () => new Promise((resolve) => setTimeout(() => resolve('done'), 1_500));
(async () => {
  const app = fastify();
  app.post('/', { handlerTimeout: 300 }, slow);
  app.get('/', { handlerTimeout: 300 }, slow);
  const base = await app.listen({ port: 0, host: '127.0.0.1' });
  const json = { 'content-type': 'application/json' };
  const get = (await fetch(base)).status;
  const injected = (await app.inject({ method: 'POST', url: '/', headers: json, payload: '{}' })).statusCode;
  const posted = (await fetch(base, { method: 'POST', headers: json, body: '{}' })).status;
  console.log(`GET ${get}, POST by inject ${injected}, POST over HTTP ${posted}`);
  await app.close();
})();
END
seen=$(node try.cjs)
echo "fastify 5.12.8, handler of 1.5 s, limit of 0.3 s: $seen"
[ "$seen" = 'GET 503, POST by inject 503, POST over HTTP 200' ]
