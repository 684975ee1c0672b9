# To be sourced, inside Debian 12. Twenty payments that are acknowledged and published, and that no module has applied; then
# everything is killed at once, as all processes here are when this ends.
cd "$CLONE"
PATH="$CLONE/node_modules/.bin:$PATH"
export PAYNOTIFY_DATA=$OLD_DATA
dpkg-query --show --showformat '${Package} ${Version}\n' rabbitmq-server
start_until_ready "the start with Debian 12's RabbitMQ" "$HOME"/start.log node src/main.ts
check node scripts/debian-13/held-payments.ts hold "$OLD_DATA/held-payments.json"
# Data of before the release was written beside it: the broker's own words must do.
rm -f "$OLD_DATA/rabbitmq/release"
