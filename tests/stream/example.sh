#!/bin/sh
# The example of docs/streams.md: the listing is the file, and what it sends gunzips to what it read.
set -eu
: "${top_srcdir:=.}" "${top_builddir:=.}"
program=$top_builddir/docs/examples/gzip-to-socket
source=$top_srcdir/docs/examples/gzip-to-socket.c
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

awk '/^```c gzip-to-socket/ { on = 1; next } /^```/ { on = 0 } on' "$top_srcdir/docs/streams.md" >"$dir/listing"
cmp "$source" "$dir/listing" || { echo "docs/streams.md does not list $source" >&2; exit 1; }

python3=$(command -v python3) || { echo "no python3 to receive with" >&2; exit 77; }
cat >"$dir/receive.py" <<'PY'
import socket, sys, os
server = socket.create_server(("127.0.0.1", 0))
server.settimeout(20)
with open(sys.argv[1] + ".tmp", "w") as f:
    f.write(str(server.getsockname()[1]))
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
peer, _ = server.accept()
peer.settimeout(20)
with open(sys.argv[2], "wb") as f:
    while data := peer.recv(65536):
        f.write(data)
PY

send() { # $1: what to send
    rm -f "$dir/port"
    "$python3" "$dir/receive.py" "$dir/port" "$dir/received.gz" &
    receiver=$!
    tries=0
    while [ ! -f "$dir/port" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "the receiver does not start" >&2; exit 1; }
        sleep 0.05
    done
    "$program" "$(cat "$dir/port")" <"$1"
    wait $receiver
    gunzip -c "$dir/received.gz" | cmp - "$1"
}

: >"$dir/empty"
send "$dir/empty"
seq 1 400000 >"$dir/numbers"
send "$dir/numbers"
head -c 5000000 /dev/urandom >"$dir/noise"
send "$dir/noise"
printf "one line\n" >"$dir/line"
send "$dir/line"
echo "sent four inputs, all came back"
