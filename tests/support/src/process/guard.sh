# Runs a program and ends it when standard input closes, which it does when whoever started us is gone.
#   sh -c "$THIS" name LOG GRACE PROGRAM [ARGUMENT...]
# Prints the program's process id and exits with its status. Lines on standard input are signals to send to it.
# Standard error is nobody's to read: it only keeps the scratch directory from being removed.
# Only this shell reaps the program, and only while it has not is the program signalled.
log=$1 grace=$2
shift 2

trap 'interrupted=yes; kill -TERM "$child"; kill -CONT "$child"' USR1
trap 'interrupted=yes; kill -KILL "$child"' USR2
trap : HUP INT TERM PIPE

exec 3<&0
"$@" 3<&- </dev/null >>"$log" 2>&1 &
child=$!

(
    while read -r signal <&3; do kill -s "$signal" "$child"; done
    nap() { sleep "$1" 3<&- >/dev/null 2>&1 & napping=$!; wait "$napping"; }
    trap 'kill "$napping"; exit' TERM
    kill -USR1 $$
    nap "$grace"
    kill -USR2 $$
    nap 2
    # The guard itself must have been killed. Its process group is still ours: end all that is left of it.
    kill -KILL 0
) >/dev/null &
watcher=$!
exec 3<&- </dev/null

echo "$child"
exec >/dev/null

status=0
while :; do
    interrupted='' before=$status
    wait "$child"
    status=$?
    # A signal came just after the program was reaped: the status is the one before.
    if [ "$status" = 127 ] && [ "$before" != 0 ]; then status=$before; fi
    [ -n "$interrupted" ] || break
done
kill -TERM "$watcher"
exit "$status"
