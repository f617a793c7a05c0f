#!/usr/bin/env bash
# Runs the commands of examples/backend_node/README.md and looks at what they say.
# Usage: backend_readme.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/page.sh"

run_page "$1" "$2"
expect '"owed":3,"handled":3'
expect '{"node":"c","hits":[{"lessonId":"1"'
expect '"starts":2'
# What was owed arrives soon after the start, and the page's search may have been a little early.
until curl -sS "127.0.0.1:${ports[2]}/search?q=quantum" | grep -q '"lessonId":"2"'; do :; done
stop_all
