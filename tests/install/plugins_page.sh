#!/usr/bin/env bash
# Runs the commands of docs/plugins.md with what is installed, and looks at what they say. Those of
# a node are left out where edupulse-node is not installed.
# Usage: plugins_page.sh PAGE PREFIX VERBS
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

page=$1
export PATH=$2/bin:$3:$PATH # VERBS stands in for an `edupulse` that has no plugins yet
if ! [ -x "$2/bin/edupulse-node" ]; then
  page=$place/page.md
  awk '/^<!-- .*where edupulse-node is/ {print "<!-- left out -->"; next} {print}' "$1" >"$page"
fi

began=$SECONDS
run_page "$page" "$2"
took=$((SECONDS - began))
expect 'is a plugin. Go there, and:'
expect '100% tests passed, 0 tests failed out of 1'
expect 'course-counter 1.0.0: Counts what is noted of each subject'
expect 'course-counter.counted'
expect '"handsOver":true'
# As a node begins to load it: in a process of its own.
edupulse-plugin-probe 3<"$place/course-counter/build/libcourse_counter.so" 4>"$place/probed"
grep -qx ok "$place/probed" || { cat "$place/probed"; exit 1; }
if [ "$page" = "$1" ]; then
  expect 'course-counter.counter'
  expect 'course-counter went from 1.0.0 to 1.1.0'
  expect 'course-counter went from 1.1.0 to 1.0.0'
fi
echo "OK: $took s of the five minutes"
