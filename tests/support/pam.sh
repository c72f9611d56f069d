# Sourced by tests of the PAM module that play the daemon themselves; enters a private host first.
#
#   pam_host                  users alice and bob, the module and the probe installed, syslog in $KEEP/syslog.txt
#   service NAME LINE...      /etc/pam.d/NAME
#   plan JSON                 what the played daemon answers (tests/support/fake_pam_daemon.py)
#   start_fake                play the daemon on both sockets;  start_fake_as USER
#   stop_fake                 nobody listens any more, the sockets are gone
#   app WORD...               pam_app on the service `test`; never fails; its output is in $OUT;  app_as USER
#   requests                  what the played daemon was asked, a JSON line each;  forget_requests
#   says SENTENCE PATTERN     checks that $OUT has a line that matches;  never_says SENTENCE PATTERN
#   logged / not_logged       the same of the system log
. tests/support/daemon.sh

FAKE=/run/fake
FAKE_PIDS=()
OUT='' LOG_FROM=0
APP=$BUILD/tests/pam/pam_app

pam_host() {
    host_users
    host_syslog
    MODULES=$(host_module_dir)
    install -m 0644 "$BUILD/pam/pam_secauth.so" "$BUILD/tests/pam/pam_probe.so" "$MODULES/"
    mkdir -p "$FAKE" /run/probe /run/secauth
    chmod 0755 /run/secauth
    chmod 1777 /run/probe
    mkdir -m 0700 /run/secauth/root
    service test "auth required pam_secauth.so" "account required pam_secauth.so" \
        "password required pam_secauth.so" "session required pam_secauth.so"
    plan '{}'
}

service() {
    local name=$1
    shift
    printf '%s\n' "$@" > "/etc/pam.d/$name"
}

plan() {
    printf '%s\n' "$1" > "$FAKE/plan.json.new" && mv "$FAKE/plan.json.new" "$FAKE/plan.json"
}

start_fake() {
    start_fake_as root
}

start_fake_as() {
    local path
    FAKE_PIDS=()
    for path in /run/secauth/root/root.sock /run/secauth/user.sock; do
        setpriv --reuid "$1" --clear-groups -- tests/support/fake_pam_daemon.py "$path" "$FAKE" &
        FAKE_PIDS+=($!)
    done
    until_ok 20 test -S /run/secauth/root/root.sock -a -S /run/secauth/user.sock
}

kill_fake() {
    [ "${#FAKE_PIDS[@]}" -gt 0 ] || return 0
    kill -KILL "${FAKE_PIDS[@]}"
    wait "${FAKE_PIDS[@]}" 2> /dev/null
    FAKE_PIDS=()
}

stop_fake() {
    kill_fake
    rm -f /run/secauth/root/root.sock /run/secauth/user.sock
}

app() {
    OUT=$("$APP" "$@" 2>&1) || true
}

app_as() {
    local user=$1
    shift
    OUT=$(as "$user" "$APP" "$@" 2>&1) || true
}

requests() {
    cat "$FAKE/requests" 2> /dev/null || true
}

forget_requests() {
    rm -f "$FAKE/requests"
}

count_requests() {
    requests | grep -c . || true
}

# What was logged since forget_syslog.
syslog_settled() {
    sleep 0.05
    tail -c "+$((LOG_FROM + 1))" "$KEEP/syslog.txt" 2> /dev/null || true
}

forget_syslog() {
    sleep 0.05
    LOG_FROM=$(stat -c %s "$KEEP/syslog.txt")
}

says() { check "$1" contains "$OUT" "$2"; }
never_says() { refuse "$1" contains "$OUT" "$2"; }
logged() { check "$1" contains "$(syslog_settled)" "$2"; }
not_logged() { refuse "$1" contains "$(syslog_settled)" "$2"; }
log_lines() { syslog_settled | grep -Ec -- "$1" || true; }

# Often used answers.
HANDLE=AAAAAAAAAAAAAAAAAAAAAA
SESSION=SSSSSSSSSSSSSSSSSSSSSS
export GRANT='{"status":1,"reply":{"outcome":1}}'
export GRANT_HANDLE='{"status":1,"reply":{"outcome":1,"authn_handle":"'$HANDLE'"}}'
export OPENED='{"status":1,"reply":{"recorded":true,"session_id":"'$SESSION'"}}'
export DENY='{"status":3,"message":"authentication failed"}'
export UNMANAGED='{"status":4,"message":"the user has no record here"}'
