#!/usr/bin/env bash
# Runs the commands of docs/simulator.md, its scenario among them, and looks at what they say.
# Usage: simulator_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/page.sh"

cd "$(dirname "$1")/.."
awk '/^```toml/ {inside = 1; next} /^```/ {inside = 0} inside' "$1" >"$place/mine.toml"
run_page "$1" "$2"
expect 'split-brain-and-heal'
expect "the report is $place/run.html"
expect 'mine: What to expect, in a sentence.' # the scenario of the page
expect 'slow@n2'
expect 'lesson.withdrawn'
expect 'notifier.notifier@n2'
expect 'plugin notifier 1.0.0 is on n2, n3'
expect 'of the events were published by plugins'
expect 'n2 crashed, and was started again'
expect 'dead letters of saboteur.orders: the process died 2 times'
expect 'split-brain-and-heal: 10 runs passed, seeds 1 to 10'
passed=$(grep -c '^PASSED in' "$place/said")
[ "$passed" -eq 8 ] || { echo "$passed runs of 8 have passed"; exit 1; }
grep -q 'partition' "$place/run.html"
grep -q '"runs":10,"seeds":\[1,10\]' "$place/covered.json"
[ "$(wc -l <"$place/trace")" -gt 10000 ]
echo OK
