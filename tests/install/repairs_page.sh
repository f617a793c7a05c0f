#!/usr/bin/env bash
# Runs the commands of docs/repairs.md with what is installed, and looks at what they say.
# Usage: repairs_page.sh PAGE PREFIX
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

export PATH=$2/bin:$PATH
run_page "$1" "$2"
expect 'is published'
expect 'it has no subject'
expect 'course-counter went from 1.0.0 to 1.0.1'
expect 'state was handed over: course-counter.counter'
expect 'there are no dead letters'
expect 'balanced: published = handled + dead + expired + dropped + pending'
tail -n 12 "$place/said" | grep -q '1\.0\.1' # in `plugin ls`, the last but the node's end
echo OK
