#!/usr/bin/env bash
# Runs the commands of docs/plugins.md with what is installed, and looks at what they say.
# Usage: plugins_page.sh PAGE PREFIX
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

export PATH=$2/bin:$PATH
began=$SECONDS
run_page "$1" "$2"
took=$((SECONDS - began))
expect 'is a plugin. Go there, and:'
expect '100% tests passed, 0 tests failed out of 1'
expect 'course-counter 1.0.0: Counts what is noted of each subject'
expect 'course-counter.counted'
expect '"handsOver":true'
expect 'course-counter.counter'
expect 'course-counter went from 1.0.0 to 1.1.0'
expect 'course-counter went from 1.1.0 to 1.0.0'
echo "OK: $took s of the five minutes"
