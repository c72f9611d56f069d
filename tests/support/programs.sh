# shellcheck shell=bash
# Sourced after daemon.sh and outcomes.sh by tests of one program each. Such a test defines
#
#   try USER PASSWORD             0 when the program lets the person in; it prints what it heard
#
# and gets
#
#   people                        alice; dave, disabled; erin, whose password has expired; tina, for a second factor; walt,
#                                 who is to wait. Their password here is $PW; in shadow they have $OLD, which must never
#                                 work.
#   enroll                        tina has a new second factor, since a code is good once;  code [SECONDS-FROM-NOW]
#   let_in USER PASSWORD          the program lets them in, and the daemon granted it
#   kept_out REASON USER PASSWORD the program refuses, and REASON is why the daemon did (its log: reason=REASON)
#   undecided USER PASSWORD       the program refuses, the module logged that nobody decided, and no denial was counted
#   crowded_out PASSWORD USER...  the same in a flood, where somebody may be lucky and get a place: then the next is tried
#   hard_times AS OPTION...       the daemon again, with dear hashes and little patience: walt, by pam_app run as AS with
#                                 these OPTIONs, fails so often that he waits for minutes
#   reload                        the daemon reads its rules again
#   flood                         strangers fill the queue of hashes until flood_ends
#   end_pid SIGNAL PID            the process is told to end, and ends
#   kill_daemon                   SIGKILL, so that nobody waits for what is queued
PW='correct horse battery' OLD=unix-password-9
STRANGERS=addr:198.51.100.
FLOOD_PID=''

people() {
    local name uid=2003
    for name in alice dave erin tina walt; do
        [ "$name" = alice ] || host_person "$name" $((++uid))
        usermod -p "$(openssl passwd -6 "$OLD")" "$name"
        secauthctl user add "$name" --uid "$(id -u "$name")" <<< "$PW" > /dev/null || return 1
    done
    secauthctl user disable dave > /dev/null
    secauthctl user passwd erin --temporary <<< "$PW" > /dev/null
}

TINA_KEY=/run/t/tina.key
enroll() {
    secauthctl mfa remove tina > /dev/null 2>&1
    install -d -m 0755 /run/t
    (umask 0077 && openssl rand -out "$TINA_KEY" 20)
    code -30 | secauthctl mfa enroll tina --key-file "$TINA_KEY" --no-recovery > /dev/null
}
code() {
    oathtool --totp --digits=6 --now="@$(($(date +%s) + ${1:-0}))" "$(od -An -tx1 "$TINA_KEY" | tr -d ' \n')"
}

# What the daemon and the module have said since `mark`, but not to the strangers of a flood.
mark() {
    MARK_DAEMON=$(stat -c %s "$KEEP/secauthd.log")
    MARK_SYSLOG=$(stat -c %s "$KEEP/syslog.txt")
}
daemon_said() {
    tail -c "+$((MARK_DAEMON + 1))" "$KEEP/secauthd.log" | grep -Fv "source=$STRANGERS" | grep -E -- "$1"
}
module_said() { tail -c "+$((MARK_SYSLOG + 1))" "$KEEP/syslog.txt" | grep -E -- "pam_secauth.*$1"; }

let_in() {
    mark
    try "$@" || return 1
    daemon_said 'Authentication .*status=OK' || { echo "in, and the daemon granted nothing"; return 1; }
}

kept_out() {
    local reason=$1
    shift
    mark
    ! try "$@" || { echo "let in"; return 1; }
    ! until_ok 5 daemon_said "Authentication .*reason=$reason" || return 0
    echo "the daemon gave another reason, or none"
    daemon_said ''
    return 1
}

undecided() {
    mark
    ! try "$@" || { echo "let in"; return 1; }
    until_ok 5 module_said 'no decision' || { echo "no word of it from the module"; return 1; }
    ! daemon_said 'status=INVALID_CREDENTIALS' || { echo "and it was counted"; return 1; }
}

crowded_out() {
    local password=$1 user
    shift
    for user in "$@"; do
        ! undecided "$user" "$password" || return 0
        daemon_said 'Authentication .*status=OK' || return 1
    done
    return 1
}

# The seconds of a wait double with each failure, so twelve of them that cost nothing come first.
hard_times() {
    local as=$1 i
    shift
    for i in {1..12}; do walt_fails "$as" "$i" "$@"; done
    stop_daemon && start_daemon "${DAEMON_LINES[@]}" login.pair_failures=1 password.memory=65536 password.passes=3 \
        password.hash_threads=1 || return 1
    walt_fails "$as" 13 "$@"
    secauthctl lockout list --user walt
}

walt_fails() {
    local as=$1 number=$2
    shift 2
    as "$as" "$BUILD/tests/pam/pam_app" --user walt "$@" --answer "wrong-$number" authenticate > /dev/null 2>&1
}

flood() {
    rm -f /run/t-flooded
    /usr/bin/python3 tests/support/flood.py /run/t-flooded &
    FLOOD_PID=$!
    until_ok 20 test -e /run/t-flooded
}

flood_ends() {
    kill "$FLOOD_PID" && wait "$FLOOD_PID"
    FLOOD_PID=''
}

reload() {
    mark
    kill -HUP "$DAEMON_PID" && until_ok 5 daemon_said ' info: reloaded '
}

kill_daemon() {
    kill -KILL "$DAEMON_PID"
    wait "$DAEMON_PID" 2> /dev/null
    DAEMON_PID=''
}

end_pid() {
    kill -"$1" "$2" && until_ok 10 process_ended "$2"
}
