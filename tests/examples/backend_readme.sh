#!/usr/bin/env bash
# Runs the commands of examples/backend_node/README.md as they stand there, on free ports and in a
# directory of its own, and looks at what they say. Usage: backend_readme.sh PROGRAM README
set -euo pipefail
program=$1 page=$2
place=$(mktemp -d)
cleanup() {
  jobs -p | xargs -r kill -9 2>/dev/null || true
  rm -rf "$place"
}
trap cleanup EXIT

# Below the range of the ports that connections are given: nobody takes them in between.
free_ports() {
  python3 - "$1" <<'PYTHON'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", random.randrange(20000, 32000)))
        held.append(one)
    except OSError:
        one.close()
print(*(one.getsockname()[1] for one in held))
PYTHON
}

read -r -a ports < <(free_ports 6)
script=$(awk '/^<!-- run by/ {ours = 1} /^```sh/ && ours {inside = 1; next}
              /^```/ {inside = ours = 0} inside' "$page")
script=${script//'$PWD/build/release/examples/backend_node'/$(dirname "$program")}
script=${script//'/tmp/school'/$place}
number=0
for port in 8081 8082 8083 7081 7082 7083; do
  script=${script//$port/${ports[number]}}
  number=$((number + 1))
done

eval "$script" >"$place/said" 2>"$place/errors" || {
  cat "$place/said" "$place/errors"
  exit 1
}
expect() {
  grep -qF -- "$1" "$place/said" && return
  cat "$place/said" "$place/errors"
  echo "the page's commands did not say: $1"
  exit 1
}
expect '"owed":3,"handled":3'
expect '{"node":"c","hits":[{"lessonId":"1"'
expect '"starts":2'
# What was owed arrives soon after the start, and the page's search may have been a little early.
until curl -sS "127.0.0.1:${ports[2]}/search?q=quantum" | grep -q '"lessonId":"2"'; do :; done
kill $(jobs -p)
wait
echo OK
