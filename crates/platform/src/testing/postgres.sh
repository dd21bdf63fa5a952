# Keeps a server of PostgreSQL running in a folder for as long as some process holds a shared lock on its `users.lock`: tests
# that are killed give their lock up, and then the server is stopped and its folder removed.
# usage: postgres.sh FOLDER PORT BIN SECONDS [SETTING=VALUE ...]
set -u
cd "$1" || exit 1
port=$2 bin=$3 patience=$4
shift 4

# The server refuses to run as root, and ends with its parent.
if [ "$(id -u)" -eq 0 ]; then
  run="setpriv --reuid=postgres --regid=postgres --init-groups --pdeathsig INT --"
  install -d -m 700 -o postgres -g postgres data
else
  run="setpriv --pdeathsig INT --"
  install -d -m 700 data
fi
$run "$bin/initdb" --pgdata data --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 --no-sync >log 2>&1 || exit 1

keeper=$$
(
  exec 9<users.lock
  unused=0
  while [ "$unused" -le "$patience" ]; do
    sleep 1
    if flock --nonblock --exclusive 9; then
      unused=$((unused + 1))
      [ "$unused" -gt "$patience" ] || flock --unlock 9
    else
      unused=0
    fi
  done
  # Whoever comes now waits for the lock, and then finds that its file is gone.
  server=$(head -n 1 data/postmaster.pid 2>/dev/null)
  kill -TERM "$keeper" 2>/dev/null
  [ -z "$server" ] || kill -QUIT "$server" 2>/dev/null
  while [ -n "$server" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
  rm -rf data port log start.lock
  rm -f users.lock
  # Somebody may already have begun anew in it.
  rmdir "$PWD"
) >/dev/null 2>&1 &

settings=
for setting in "$@"; do settings="$settings -c $setting"; done
# A server that a test stops comes back.
while :; do
  $run "$bin/postgres" -D data -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= $settings >>log 2>&1
  sleep 0.2
done
