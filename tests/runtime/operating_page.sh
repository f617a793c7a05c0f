#!/usr/bin/env bash
# Runs the commands of docs/operating.md, and looks at what they say.
# Usage: operating_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

cd "$(dirname "$1")/.."
run_page "$1" "$2"
expect "name=\"n1\" node=127.0.0.1:"
expect "control=$place/n2/control.sock"
expect 'there are no handlers'
expect 'there are no dead letters'
expect 'balanced: published'
expect '"control.refused": 0'
expect 'edupulse 0.'
expect 'left'
grep -q 'balanced: published' "$place/errors" # the ledger of the one that left
kill -INT %1
wait %1
[ ! -e "$place/n1/control.sock" ]
echo OK
