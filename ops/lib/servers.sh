#!/usr/bin/env bash
# Private servers: one RabbitMQ, one Redis or one Sentinel of Redis, in a folder, on free ports of
# 127.0.0.1, ended by process id. ops/test, ops/up and the tests' harness all
# start their servers here and nowhere else.
#
# It must never touch a server it did not start, use a system service, listen
# on anything but the loopback, or leave a process behind (epmd is the one that
# RabbitMQ usually leaves: here it has its own port and is our child).
#
# Sourced, it gives the functions below. Run as
#
#     servers.sh supervise rabbitmq|redis|sentinel DIR [LINE…]
#
# it starts one server, with these lines in its configuration besides its own,
# prints `ready URL` (or `failed WHY`, and ends), and then obeys the lines of its
# standard input, answering each with `ok` or `failed WHY`: `kill` (as a crash
# does), `start` (again: same folder, same ports, and the data that it keeps),
# `freeze`, `thaw`. When its input ends it ends the server and removes DIR; so a
# harness that dies, however it dies, leaves nothing. And
#
#     servers.sh vhost DIR NAME
#
# makes a virtual host on the RabbitMQ of DIR, and
#
#     servers.sh erl DIR EXPRESSIONS
#
# has it evaluate Erlang, and prints the answer: how a test raises an alarm or
# closes connections.
#
# Each DIR holds: pids (one `pid:starttime` a line), url, and the server's log; port_tls, if it has one.

# What a server is configured with besides, a line each. Read at its first start.
server_lines=()

# server_settings DIR: those lines. `@port-for-tls@` in them is a free port, kept in DIR/port_tls.
server_settings() {
    [[ ${server_lines[*]} != *@port-for-tls@* ]] || free_port >"$1/port_tls"
    printf '%s\n' "${server_lines[@]//@port-for-tls@/$(cat "$1/port_tls" 2>/dev/null)}"
}

# --- processes ---------------------------------------------------------------

# `pid:starttime`: a process id alone can be another process by the time it is used.
proc_stamp() {
    local stat rest
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra rest <<<"${stat##*) }"
    printf '%s:%s\n' "$1" "${rest[19]}"
}

# True while the stamped process runs. A zombie is dead: not every pid 1 reaps.
proc_alive() {
    local pid=${1%%:*} stat rest
    stat=$(cat "/proc/$pid/stat" 2>/dev/null) || return 1
    read -ra rest <<<"${stat##*) }"
    [[ ${rest[19]} == "${1##*:}" && ${rest[0]} != Z && ${rest[0]} != X ]]
}

# The stamps of a process and of everything below it. Processes come and go
# while we look, and mawk gives up at the first file that it is given and cannot
# open: so it opens them itself.
proc_tree() {
    local pid=${1%%:*} child
    proc_alive "$1" || return 0
    echo "$1"
    while read -r child; do
        proc_tree "$(proc_stamp "$child")"
    done < <(printf '%s\n' /proc/[0-9]*/stat | awk -v parent="$pid" '
        (getline line < $0) > 0 { sub(/.*\) /, "", line); split(line, field, " ")
          if (field[2] == parent) { split($0, path, "/"); print path[3] } }
        { close($0) }')
}

# proc_signal SIGNAL STAMP: one that has ended meanwhile needs none, and is no failure.
proc_signal() {
    if proc_alive "$2"; then kill "-$1" "${2%%:*}" 2>/dev/null || true; fi
}

# proc_end SECONDS STAMP…: TERM, a wait of at most SECONDS, then KILL.
# With 0 seconds it kills at once.
proc_end() {
    local seconds=$1 stamp deadline
    shift
    if ((seconds > 0)); then
        for stamp in "$@"; do proc_signal TERM "$stamp"; done
        deadline=$((SECONDS + seconds))
        for stamp in "$@"; do
            while proc_alive "$stamp" && ((SECONDS < deadline)); do sleep 0.05; done
        done
    fi
    for stamp in "$@"; do proc_signal KILL "$stamp"; done
    for stamp in "$@"; do
        while proc_alive "$stamp"; do sleep 0.02; done
    done
    return 0
}

# --- ports and names ---------------------------------------------------------

# A port of 127.0.0.1 on which nothing answers, below the range that the kernel
# gives to outgoing connections.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# Waits until `$2 DIR` succeeds, while the server of DIR runs, 90 s at most.
server_wait() {
    local dir=$1 probe=$2 deadline=$((SECONDS + 90)) stamp
    stamp=$(tail -n 1 "$dir/pids")
    until "$probe" "$dir" 2>/dev/null; do
        if ! proc_alive "$stamp" || ((SECONDS > deadline)); then
            echo "what $dir is for did not start; the end of its log:" >&2
            tail -n 20 "$dir"/*log >&2
            return 1
        fi
        sleep 0.05
    done
}

# Ends the server of DIR and all that it started. Its data stays.
server_kill() {
    local dir=$1 stamp
    [[ -f $dir/pids ]] || return 0
    local tree=()
    while read -r stamp; do
        mapfile -t -O "${#tree[@]}" tree < <(proc_tree "$stamp")
    done <"$dir/pids"
    ((${#tree[@]} == 0)) || proc_end 0 "${tree[@]}"
    rm -f "$dir/pids"
}

# server_signal DIR SIGNAL: to every process of the server.
server_signal() {
    local stamp
    while read -r stamp; do
        for stamp in $(proc_tree "$stamp"); do proc_signal "$2" "$stamp"; done
    done <"$1/pids"
}

# --- RabbitMQ ----------------------------------------------------------------

# The distribution's wrapper in /usr/sbin insists on its own user and folders;
# what it wraps does not.
rabbitmq_bin() {
    if [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]]; then
        echo /usr/lib/rabbitmq/bin/rabbitmq-server
    else
        command -v rabbitmq-server || {
            echo "rabbitmq-server is not installed: apt-get install rabbitmq-server" >&2
            return 1
        }
    fi
}

# Decides ports once, so that a second start is the same server.
rabbitmq_configure() {
    local dir=$1 port epmd
    mkdir -p "$dir"
    port=$(free_port)
    epmd=$(free_port)
    cat >"$dir/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$port
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 50MB
CONF
    server_settings "$dir" >>"$dir/rabbitmq.conf"
    echo '[].' >"$dir/enabled_plugins"
    # The +sbwt flags: an idle broker must not spin on the cores the tests need.
    cat >"$dir/env" <<ENV
export HOME='$dir'
export RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_NODENAME=glovebox-$port@localhost
export RABBITMQ_MNESIA_BASE='$dir/mnesia'
export RABBITMQ_LOG_BASE='$dir'
export RABBITMQ_CONFIG_FILE='$dir/rabbitmq.conf'
export RABBITMQ_ENABLED_PLUGINS_FILE='$dir/enabled_plugins'
export RABBITMQ_NODE_PORT=$port
export RABBITMQ_DIST_PORT=$(free_port)
export ERL_EPMD_PORT=$epmd
export ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-start_epmd false -kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none'
ENV
    echo "amqp://guest:guest@127.0.0.1:$port/%2f" >"$dir/url"
}

# Answers to the first eight bytes of AMQP with a method frame: ready to log in.
rabbitmq_probe() (
    # shellcheck source=/dev/null
    source "$1/env"
    exec 3<>"/dev/tcp/127.0.0.1/$RABBITMQ_NODE_PORT" || exit 1
    printf 'AMQP\0\0\11\1' >&3
    IFS= read -r -t 2 -N 1 byte <&3 && [[ $byte == $'\1' ]]
)

# rabbitmq_start DIR: in the background; `server_wait DIR rabbitmq_probe` waits for it.
rabbitmq_start() {
    local dir=$1 server
    server=$(rabbitmq_bin)
    [[ -f $dir/env ]] || rabbitmq_configure "$dir"
    : >"$dir/pids"
    (
        # shellcheck source=/dev/null
        source "$dir/env"
        # What a killed Erlang dumps, it dumps where it was started.
        cd "$dir"
        # epmd in the foreground is our child; the one that erl starts is nobody's.
        setsid epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >"$dir/epmd.log" 2>&1 </dev/null &
        proc_stamp $! >>"$dir/pids"
        setsid "$server" >>"$dir/log" 2>&1 </dev/null &
        proc_stamp $! >>"$dir/pids"
    )
}

# rabbitmq_erl DIR EXPRESSIONS: by erl_call, 8 ms. rabbitmqctl takes 250 and leaves
# an epmd; the management plugin's HTTP takes 15 and makes the broker larger.
rabbitmq_erl() (
    # shellcheck source=/dev/null
    source "$1/env"
    # -h: with its usual name for itself, two at a time would throw each other out.
    erl_call -h "erl-$BASHPID" -c "$(cat "$1/.erlang.cookie")" -n "$RABBITMQ_NODENAME" -e <<<"$2"
)

# rabbitmq_vhost DIR NAME
rabbitmq_vhost() {
    local answer
    answer=$(rabbitmq_erl "$1" "rabbit_vhost:add(<<\"$2\">>, <<\"test\">>),
        rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, <<\"$2\">>, <<\".*\">>, <<\".*\">>, <<\".*\">>, <<\"test\">>).
") && [[ $answer == *'{ok, ok}'* ]]
}

# --- Redis -------------------------------------------------------------------

redis_probe() (
    exec 3<>"/dev/tcp/127.0.0.1/$(cat "$1/port")" || exit 1
    printf 'PING\r\n' >&3
    read -r -t 2 answer <&3 && [[ $answer == +PONG* ]]
)

# redis_configure DIR LINE…: decides the port, once. A Sentinel also writes to its redis.conf.
redis_configure() {
    local dir=$1 port
    command -v redis-server >/dev/null || {
        echo "redis-server is not installed: apt-get install redis-server" >&2
        return 1
    }
    mkdir -p "$dir"
    port=$(free_port)
    echo "$port" >"$dir/port"
    echo "redis://127.0.0.1:$port/0" >"$dir/url"
    printf '%s\n' "port $port" 'bind 127.0.0.1' "dir $dir" 'daemonize no' "${@:2}" >"$dir/redis.conf"
    server_settings "$dir" >>"$dir/redis.conf"
}

# redis_run DIR [--sentinel]: in a subshell, so that no shell reports its end as a job's.
redis_run() (
    setsid redis-server "$1/redis.conf" "${@:2}" >>"$1/log" 2>&1 </dev/null &
    proc_stamp $! >"$1/pids"
)

# redis_start DIR: in the background. Nothing is kept on disk, unless its lines say so.
redis_start() {
    [[ -f $1/port ]] || redis_configure "$1" 'save ""' 'appendonly no'
    redis_run "$1"
}

# sentinel_start DIR: a Redis Sentinel, which watches what its lines say.
sentinel_start() {
    [[ -f $1/port ]] || redis_configure "$1"
    redis_run "$1" --sentinel
}

sentinel_probe() { redis_probe "$1"; }

# --- one server under supervision --------------------------------------------

supervise() {
    local kind=$1 dir=$2 verb why=
    server_lines=("${@:3}")
    # shellcheck disable=SC2064 # the folder of now is meant
    trap "server_kill '$dir'; rm -rf '$dir'" EXIT
    # A port that was free when it was chosen can be another's by the time it is taken: the server
    # ends at once then, and others are chosen.
    for _ in 1 2 3; do
        "${kind}_start" "$dir"
        if server_wait "$dir" "${kind}_probe" 2>"$dir/why"; then
            echo "ready $(cat "$dir/url")"
            break
        fi
        why=$(tr -s '[:space:]' ' ' <"$dir/why" | tail -c 4000)
        server_kill "$dir"
        find "$dir" -mindepth 1 -delete
    done
    [[ -f $dir/url ]] || {
        echo "failed $why"
        return 1
    }
    while read -r verb; do
        case $verb in
            kill) server_kill "$dir" ;;
            start) "${kind}_start" "$dir" && server_wait "$dir" "${kind}_probe" ;;
            freeze) server_signal "$dir" STOP ;;
            thaw) server_signal "$dir" CONT ;;
            *) false ;;
        esac && echo ok || echo "failed $verb; see $dir/log"
    done
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    set -euo pipefail
    case "$# ${1-} ${2-}" in
        *' supervise rabbitmq' | *' supervise redis' | *' supervise sentinel') supervise "${@:2}" ;;
        '3 vhost '*) rabbitmq_vhost "$2" "$3" ;;
        '3 erl '*) rabbitmq_erl "$2" "$3" ;;
        *)
            echo "usage: servers.sh supervise rabbitmq|redis|sentinel DIR [LINE…]; servers.sh vhost DIR NAME; servers.sh erl DIR EXPRESSIONS" >&2
            exit 2
            ;;
    esac
fi
