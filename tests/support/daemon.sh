# Sourced by bash tests that need the daemon and the real programs around it; goes into a private host first, so a
# test begins `. tests/support/daemon.sh` and is run from the project's root with BUILD naming the build folder.
#
#   host_setup                  users secauth, secauth-grpc, secauth-grpc-local, alice (2001), bob (2002), none with a
#                               usable hash in shadow; programs, module and profile installed; syslog goes to $KEEP/syslog.txt
#   start_daemon [LINE...]      cheap hashes, denials after 20 ms; LINEs like `login.unmanaged = deny` win
#   stop_daemon                 SIGTERM; fails unless it exits 0 within 10 s
#   start_gateway_local [OPTION...]  secauth-grpc on $GATEWAY_SOCKET;  stop_gateway local
#   start_gateway_tls [OPTION...]    secauth-grpc on 127.0.0.1:7443, its CA in $TLS_CA;  stop_gateway tls
#   start_sshd / stop_sshd      port 2222; `ssh_as USER PASSWORD|key kbd|password|key CMD...`
#   as USER CMD...              CMD as USER, in an environment of its own (ANSWERS and SHELLCMD come along)
#   on_pty USER ANSWERS CMD...  CMD as USER on a terminal, its prompts answered in turn (a Tcl list: '{two words} one')
#
# Logs are left in $KEEP. The assertions are those of tests/support/checks.sh.
set -u -o pipefail
: "${BUILD:=build/test}"
BUILD=$(realpath -m -- "$BUILD")
export BUILD

if [ "${IN_HOST:-}" != yes ]; then
    if [ -z "${KEEP:-}" ]; then
        KEEP=$BUILD/logs/$(basename "$(dirname "$0")").$(basename "$0" .test)
        mkdir -p "$KEEP"
    fi
    KEEP=$KEEP exec tests/support/private-host "$(realpath -- "$0")" "$@"
fi

. tests/support/checks.sh
. tests/support/host.sh

CONF=/etc/secauth/secauthd.conf
DAEMON_PID='' SSHD_PID=''
declare -A GATEWAY_PID=()
GATEWAY_SOCKET=/run/secauth-grpc/local.sock
export TLS_CA=/run/t/ca.pem

# What a failed test wants to see.
at_exit() {
    local log
    [ "$1" = 0 ] && [ "$checks_failed" = 0 ] && return
    for log in secauthd.log syslog.txt sshd.log gateway-local.log gateway-tls.log; do
        if [ -s "$KEEP/$log" ]; then
            echo "--- the end of $log"
            tail -n 15 "$KEEP/$log"
        fi
    done
}

host_setup() {
    host_users
    host_syslog
    host_install
    host_profile
}

write_conf() {
    host_conf "$CONF" secauthd.log_level=debug token.issuer=https://private.example password.memory=64 \
        password.passes=1 password.quality=off login.denial_floor=20 login.denial_jitter=5 gateway.local=local gateway.network=tls "$@"
}

start_daemon() {
    write_conf "$@"
    launch_daemon || return 1
}

# Start it with the configuration as it stands.
launch_daemon() {
    # A strict umask, as a unit may set: what is open to others must be made so on purpose.
    (umask 0077 && exec /usr/sbin/secauthd) >> "$KEEP/secauthd.log" 2>&1 &
    DAEMON_PID=$!
    until_ok 10 daemon_answers_or_died || { echo "secauthd does not answer"; return 1; }
    kill -0 "$DAEMON_PID" 2> /dev/null || { echo "secauthd died at start"; return 1; }
}

daemon_answers_or_died() {
    ! kill -0 "$DAEMON_PID" 2> /dev/null || secauthctl status
}

stop_daemon() {
    local pid=$DAEMON_PID
    DAEMON_PID=''
    stop_pid "$pid" 10
}

# SIGTERM, a bounded wait, the exit status.
stop_pid() {
    kill -TERM "$1" 2> /dev/null || { echo "process $1 is gone already"; return 1; }
    if ! until_ok "$2" process_ended "$1"; then
        kill -KILL "$1"
        echo "process $1 had to be killed"
        return 1
    fi
    wait "$1"
}

# A killed process whose first thread is a zombie has not ended while others of its threads still hold its sockets.
process_ended() {
    [ ! -e "/proc/$1" ] || { grep -q '^State:[[:space:]]*Z' "/proc/$1/status" && only_thread "$1"; }
}

only_thread() {
    local threads=("/proc/$1/task"/*)
    [ "${#threads[@]}" -le 1 ]
}

start_gateway_local() {
    install -d -o secauth-grpc-local -g secauth-grpc-local -m 0755 "$(dirname "$GATEWAY_SOCKET")"
    launch_gateway secauth-grpc-local local --local "$GATEWAY_SOCKET" "$@" || return 1
    until_ok 10 test -S "$GATEWAY_SOCKET" || { echo "the local gateway does not listen"; return 1; }
}

start_gateway_tls() {
    host_certificate /run/t
    launch_gateway secauth-grpc tls --listen 127.0.0.1:7443 --cert /run/t/server.pem --key /run/t/server.key "$@" || return 1
    until_ok 10 tcp_open 7443 || { echo "the TLS gateway does not listen"; return 1; }
}

launch_gateway() {
    local user=$1 name=$2
    shift 2
    setpriv --reuid "$user" --regid "$user" --clear-groups -- /usr/sbin/secauth-grpc --upstream "$name" "$@" \
        >> "$KEEP/gateway-$name.log" 2>&1 &
    GATEWAY_PID[$name]=$!
}

stop_gateway() {
    local pid=${GATEWAY_PID[$1]}
    unset "GATEWAY_PID[$1]"
    stop_pid "$pid" 10
}

tcp_open() {
    (exec 3<> "/dev/tcp/127.0.0.1/$1")
}

start_sshd() {
    host_sshd_config /run/t "$@"
    /usr/sbin/sshd -D -f /run/t/sshd_config -E "$KEEP/sshd.log" &
    SSHD_PID=$!
    until_ok 10 tcp_open 2222 || { echo "sshd does not listen"; return 1; }
}

stop_sshd() {
    kill "$SSHD_PID" && wait "$SSHD_PID"
    SSHD_PID=''
}
