# To be sourced, inside. The tests that talk to the broker, in root's installed clone. Each counts.
cd "$CLONE"
PATH="$CLONE/node_modules/.bin:$PATH"
dpkg-query --show --showformat '${Package} ${Version}\n' rabbitmq-server erlang-base
vitest run --project system test/broker test/consumer test/projector test/platform/embedded-rabbitmq.test.ts test/platform/server-user.test.ts
count_tests "the tests" $? .data/test-results.json
