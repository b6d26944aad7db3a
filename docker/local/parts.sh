# parts.sh: starting, watching and ending the processes of a local stack. Sourced after settings.sh. Each part NAME has
# $VAR/run/NAME.pid, NAME.born (when that process began: pids are used again), NAME.command (to see whether a
# running one is still what is wanted) and $VAR/log/NAME.log. It must never signal a process that these files do not name.
# shellcheck shell=bash

# The state letter and the start time of process $1, from /proc; nothing where there is no /proc.
process_facts() {
    local line
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # shellcheck disable=SC2086 # the fields after the name, which may hold blanks
    set -- ${line##*) }
    printf '%s %s' "$1" "${20}"
}

part_pid() { cat "$VAR/run/$1.pid" 2>/dev/null; }

# Is the process that we started as NAME still there? A dead one that its parent has not fetched (Z) is not.
running() {
    local pid facts
    pid=$(part_pid "$1") || return 1
    if [ -e /proc/self/stat ]; then
        facts=$(process_facts "$pid")
        [ -n "$facts" ] && [ "${facts%% *}" != Z ] && [ "${facts##* }" = "$(cat "$VAR/run/$1.born")" ]
    else
        kill -0 "$pid" 2>/dev/null
    fi
}

# launch NAME COMMAND…: runs it in the background in a session of its own. The pid is written by the process itself
# before it becomes COMMAND, so it is right behind sudo and setpriv, too.
# PREFIX (an array) is what the command runs under, e.g. sudo. The edge logs through a pipe: HAProxy takes O_APPEND off the
# file that it logs to, and would write over what is in it.
PREFIX=()
launch() {
    local name=$1 log=file reader=''
    shift
    if [ "$name" = edge ]; then log=pipe; fi
    if am_root; then reader=${AS_PROGRAM_USER[*]}; fi
    rm -f "$VAR/run/$name.pid"
    printf '%s\n' "$*" > "$VAR/run/$name.command"
    (
        cd /
        exec 9>&-
        # shellcheck disable=SC2016 # for the inner shell
        exec setsid "${PREFIX[@]}" /bin/sh -c '
            ulimit -n "$(ulimit -Hn)"
            cut -d ")" -f 2- /proc/$$/stat 2>/dev/null | cut -d " " -f 21 > "$0.born"
            echo $$ > "$0.pid.new" && mv "$0.pid.new" "$0.pid"
            if [ "$1" = pipe ]; then
                rm -f "$0.pipe" && mkfifo "$0.pipe"
                $2 cat <"$0.pipe" &
                exec >"$0.pipe" 2>&1 3>&1
                rm -f "$0.pipe"
            fi
            shift 2
            exec "$@"' "$VAR/run/$name" $log "$reader" "$@" </dev/null >>"$VAR/log/$name.log" 2>&1
    ) &
    wait_for 100 "$name to begin" test -s "$VAR/run/$name.pid"
}

# wait_for TENTHS WHAT COMMAND…: until COMMAND succeeds
wait_for() {
    local tenths=$1 what=$2 i
    shift 2
    for ((i = 0; i < tenths; i++)); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    die "waited $((tenths / 10)) s in vain for $what"
}

# wait_ready NAME COMMAND…: until COMMAND succeeds; gives up as soon as the process of NAME is gone (check_ports says so when
# somebody was quicker than it)
wait_ready() {
    local name=$1 deadline=$((SECONDS + START_TIMEOUT_S))
    shift
    until "$@" >/dev/null 2>&1; do
        if ! running "$name"; then
            check_ports "$name"
            tail -n 15 "$VAR/log/$name.log" >&2
            die "$name ended at its start; the end of $VAR/log/$name.log stands above"
        fi
        if [ $SECONDS -ge $deadline ]; then
            tail -n 15 "$VAR/log/$name.log" >&2
            die "$name was not ready within $START_TIMEOUT_S s; the end of $VAR/log/$name.log stands above"
        fi
        sleep 0.1
    done
}

# fresh NAME PROGRAM COMMAND…: runs NAME already, as this very command, with a program that was not built again since?
fresh() {
    local name=$1 program=$2
    shift 2
    running "$name" && [ "$(cat "$VAR/run/$name.command")" = "$*" ] && ! [ "$program" -nt "$VAR/run/$name.pid" ]
}

ended() { ! running "$1"; }

# stop_part NAME [SIGNAL]: asks it to end, insists after 30 seconds, forgets it
stop_part() {
    local name=$1 i
    if running "$name"; then
        kill -"${2:-TERM}" "$(part_pid "$name")"
        for ((i = 0; i < 300; i++)); do
            if ended "$name"; then break; fi
            sleep 0.1
        done
        if running "$name"; then
            say "idscope: $name did not end within 30 s: killed" >&2
            kill_part "$name"
        fi
    fi
    rm -f "$VAR/run/$name".{pid,born,command}
}

# kill_part NAME: as a crash would. A database server takes its processes with it (stopped first, or it would start new
# ones while the old ones die).
kill_part() {
    local name=$1 pid children=''
    running "$name" || return 0
    pid=$(part_pid "$name")
    if [ "$name" = postgres ]; then
        kill -STOP "$pid"
        children=$(pgrep -P "$pid" | tr '\n' ' ') || true
    fi
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL "$pid" $children 2>/dev/null || true
    wait_for 300 "$name to die" ended "$name"
}

# holder PORT ADDRESS: who listens there, as far as this user may know: nothing, or a few words
holder() {
    local listener known='users:\(\("([^"]*)",pid=([0-9]*)'
    listener=$(ss -Hltnp "sport = :$1" | awk -v address="$2" '
        { at = $4; sub(/:[0-9]+$/, "", at) }
        at == address || at == "0.0.0.0" || at == "*" || at == "[::]" || address == "0.0.0.0"' | head -n 1)
    if [[ $listener =~ $known ]]; then
        echo "${BASH_REMATCH[1]} (pid ${BASH_REMATCH[2]})"
    elif [ -n "$listener" ]; then
        echo "a process of another user"
    fi
}

# answers PORT [ADDRESS]: does anybody listen there?
answers() { (exec 3<>"/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; }

# A port of 127.0.0.1 on which nobody answers, kept in $VAR/run/NAME.health for those who ask NAME how it is.
health_address() {
    local file=$VAR/run/$1.health port
    if ! running "$1" && { [ ! -s "$file" ] || answers "$(cut -d : -f 2 "$file")"; }; then
        port=$((20000 + RANDOM % 12000))
        while answers "$port"; do port=$((20000 + RANDOM % 12000)); done
        printf '127.0.0.1:%s' "$port" > "$file"
    fi
    cat "$file"
}
