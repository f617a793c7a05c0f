#!/usr/bin/env bash
# Runs the commands of docs/sources.md, and looks at what they say.
# Usage: sources_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/../examples/page.sh"

command -v redis-server >/dev/null || { echo "skipped: no redis-server"; exit 77; }
cd "$(dirname "$1")/.."
run_page "$1" "$2"
expect 'lessons is a source'
edupulse source ls --json >"$place/sources"
for one in '"received": 2' '"published": 1' '"malformed": 1' '"acknowledged": 2' '"health": "up"'; do
  grep -q "$one" "$place/sources" || { cat "$place/sources"; exit 1; }
done
edupulse dead ls --subscription lessons | grep -q title
edupulse source rm lessons | grep -q 'lessons is gone'
edupulse source ls | grep -q 'there are no sources'
stop_all
