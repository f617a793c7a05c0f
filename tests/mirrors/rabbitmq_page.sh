#!/usr/bin/env bash
# Runs the commands of docs/mirrors/rabbitmq.md, and looks at what they say. Its server runs
# already, as after the installation of its package.
# Usage: rabbitmq_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

server=/usr/lib/rabbitmq/bin/rabbitmq-server
[ -x $server ] || { echo "skipped: no rabbitmq-server"; exit 77; }
command -v amqp-consume >/dev/null || { echo "skipped: no amqp-tools"; exit 77; }
cd "$(dirname "$1")/../.."

read -r names distribution < <(free_ports 2)
amqp=${ports[9]} # where the page says 5672
printf '[].' >"$place/plugins"
export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$names
epmd -port "$names" -address 127.0.0.1 &
env HOME="$place" RUNNING_UNDER_SYSTEMD=true RABBITMQ_NODENAME="page$names@localhost" \
  RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT="$amqp" \
  RABBITMQ_DIST_PORT="$distribution" RABBITMQ_MNESIA_BASE="$place/db" \
  RABBITMQ_LOG_BASE="$place/log" RABBITMQ_CONFIG_FILE="$place/none" \
  RABBITMQ_CONF_ENV_FILE="$place/none" RABBITMQ_ENABLED_PLUGINS_FILE="$place/plugins" \
  $server >"$place/server" 2>&1 &
until amqp-declare-queue --url "amqp://127.0.0.1:$amqp" --queue probe >/dev/null 2>&1; do
  sleep 0.2
done

run_page "$1" "$2"
expect 'copy is a mirror'
expect '"specversion":"1.0"'
expect '"title":"Quantum"'
edupulse mirror ls --json | grep -q '"lag": 0'
edupulse event publish lesson.published '{"lessonId": "l2", "title": "Tides"}'
"$debians_python" "$(dirname "$0")/read_back.py" amqp "127.0.0.1:$amqp" school
stop_all
