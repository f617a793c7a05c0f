#!/usr/bin/env bash
# Runs the commands of docs/mirrors/nats.md, and looks at what they say.
# Usage: nats_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

command -v nats-server >/dev/null || { echo "skipped: no nats-server"; exit 77; }
cd "$(dirname "$1")/../.."
run_page "$1" "$2"
expect 'copy is a mirror'
expect 'school.lesson.published {"specversion":"1.0"'
expect '"title":"Quantum"'
edupulse mirror ls --json | grep -q '"health": "up"'
stop_all
