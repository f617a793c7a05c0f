#!/usr/bin/env bash
# Runs the commands of docs/mirrors/redis.md, and looks at what they say.
# Usage: redis_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
cd "$(dirname "$1")/../.."
run_page "$1" "$2"
expect 'copy is a mirror'
expect '"specversion":"1.0"'
expect '"title":"Quantum"'
expect 'application/cloudevents+json'
edupulse mirror ls --json | grep -q '"lag": 0'
"$debians_python" "$(dirname "$0")/read_back.py" redis "127.0.0.1:${ports[7]}" school
edupulse mirror rm copy | grep -q 'copy is gone'
stop_all
