#!/usr/bin/env bash
# Runs the commands of docs/tls.md for three nodes on this machine and looks at what they say.
# Usage: tls_page.sh PAGE BUILD
set -euo pipefail
. "$(dirname "$0")/page.sh"

run_page "$1" "$2"
expect 'Node c of cluster school'
expect '"owed":3,"handled":3'
expect '{"node":"c","hits":[{"lessonId":"1"'
curl -sS "127.0.0.1:${ports[0]}/members" >"$place/members"
if grep -q '"name":"d"' "$place/members"; then
  cat "$place/members"
  echo "a node with a foreign certificate was let in"
  exit 1
fi
stop_all
