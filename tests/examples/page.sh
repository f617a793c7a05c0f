# For scripts that run the commands of a page as they stand there: free ports in place of the
# page's, a directory of its own in place of /tmp/school, and a Kafka of one's own for the page's if
# `page_kafka` says where that is. Then call `run_page PAGE BUILD`.

place=$(mktemp -d)
debians_python=/usr/bin/python3 # another one need not have the packages that ./dev test installs
[ -x $debians_python ] || debians_python=python3
cleanup() {
  [ $? -eq 0 ] || cat "$place/said" "$place/errors" || true
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

page_ports=(8081 8082 8083 8084 7081 7082 7083 6379 4222 5672)
read -r -a ports < <(free_ports ${#page_ports[@]})

# The commands that name this script, in this shell. Where the page says build/release, it is BUILD.
run_page() { # PAGE BUILD
  local script number=0
  script=$(awk -v me="$(basename "$0")" '/^<!--/ {ours = index($0, me)}
                /^```sh/ && ours {inside = 1; next} /^```/ {inside = ours = 0} inside' "$1")
  script=${script//'$PWD/build/release'/$2}
  script=${script//'/tmp/school'/$place}
  script=${script//kafka.example:9092/${page_kafka:-kafka.example:9092}}
  for port in "${page_ports[@]}"; do
    script=${script//$port/${ports[number]}}
    number=$((number + 1))
  done
  [ -n "$script" ] || { echo "$1 has no commands for $0"; exit 1; }
  eval "$script" >"$place/said" 2>"$place/errors" # not in an `if` or `||`: -e would be off in it
}

expect() { # TEXT
  grep -qF -- "$1" "$place/said" && return
  echo "the page's commands did not say: $1"
  exit 1
}

stop_all() {
  kill $(jobs -p)
  wait
  echo OK
}
