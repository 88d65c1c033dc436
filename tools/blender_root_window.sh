#!/bin/bash
# Inside a root: starts a virtual display and Blender's window on it, waits, takes a last picture. See blender_window.py.
#
#   blender_root_window.sh WIDTHxHEIGHT LIMIT LOG SHOT COMMAND…
#
# Ends with the status that the script in Blender writes to the file $READY, with Blender's own where it ends before,
# and with 124 after LIMIT seconds.
size=$1 limit=$2 log=$3 shot=$4
shift 4
Xvfb "$DISPLAY" -screen 0 "${size}x24" -nolisten tcp -noreset > /tmp/xvfb.log 2>&1 &
for _ in {1..100}; do
    xdotool getdisplaygeometry > /dev/null 2>&1 && break
    sleep 0.1
done
"$@" > "$log" 2>&1 &
blender=$!
status=124
for ((tenth = 0; tenth < limit * 10; tenth++)); do
    if [ -s "$READY" ]; then
        status=$(cat "$READY")
        break
    fi
    if ! kill -0 $blender 2> /dev/null; then
        wait $blender
        status=$?
        echo "ENDED $(date +%s.%2N)" >> "$log"
        sleep 2 # for what it started, to end too; what stays is told in the log
        for process in /proc/[0-9]*; do
            words=$(tr '\0' ' ' < "$process/cmdline" 2> /dev/null)
            case $words in '' | bash* | Xvfb*) ;; *) echo "LEFT BEHIND $words" >> "$log" ;; esac
        done
        exit $status
    fi
    sleep 0.1
done
scrot --overwrite "$shot"
# The rest ends with this shell, which is the first process of its own namespace.
exit "$status"
