# To be sourced, inside Debian 13, with the data of Debian 12: the broker's is set aside by itself, and every payment arrives.
cd "$CLONE"
PATH="$CLONE/node_modules/.bin:$PATH"
export PAYNOTIFY_DATA=$OLD_DATA
start_until_ready "the start with data of Debian 12's RabbitMQ" "$HOME"/start-again.log npm start
lines=$(grep -c 'cannot use the data that is there' "$HOME"/start-again.log)
grep 'cannot use the data that is there' "$HOME"/start-again.log
count "the broker's data is set aside, said in one line ($lines)" "$([ "$lines" -eq 1 ] && ls -d "$OLD_DATA"/rabbitmq/mnesia.set-aside-* > /dev/null; echo $?)"
check node scripts/debian-13/held-payments.ts expect-paid "$OLD_DATA/held-payments.json"
stop_by_ctrl_c "the start with data of Debian 12's RabbitMQ" "$CLONE"
check test ! -e "$OLD_DATA/in-use.pid"
