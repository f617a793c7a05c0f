#!/usr/bin/env bash
# Runs the commands of docs/mirrors/kafka.md against the cluster that is part of librdkafka, and
# looks at what they say.
# Usage: kafka_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

cluster=$2/tests/mirrors/kafka_cluster
[ -x "$cluster" ] || { echo "skipped: librdkafka was not there at configure time"; exit 77; }
command -v kcat >/dev/null || { echo "skipped: no kcat"; exit 77; }
cd "$(dirname "$1")/../.."

mkfifo "$place/line"
"$cluster" <"$place/line" >"$place/hosts" &
exec 9>"$place/line" # it lives until this is closed
until [ -s "$place/hosts" ]; do sleep 0.1; done
page_kafka=$(cat "$place/hosts")
run_page "$1" "$2"
expect 'to-kafka is a mirror'
expect '"title":"Quantum"'
expect 'content-type=application/cloudevents+json'
edupulse mirror ls --json | grep -q '"lag": 0'
"$debians_python" "$(dirname "$0")/read_back.py" kafka "$page_kafka" edu.lesson.published
exec 9>&-
stop_all
