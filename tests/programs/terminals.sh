# shellcheck shell=bash
# Sourced by the tests of what runs on terminals: sshd, sudo, su, login, passwd, each driven as a person drives it.
#
#   terminals_setup           the host with its people (below), sshd and sudo configured, no daemon yet
#   try PROGRAM USER ANSWERS  does it do its work for USER? Prints the dialogue. ANSWERS are typed in turn (a Tcl list);
#                             what has no terminal gets them as lines, sshd's password method the first alone.
#                             passwd changes the password to $NEXT, the others run a command
#   denied PROGRAM USER ANSWERS      it does not, and it was the module that said so
#   at_once CMD WORD...       CMD PROGRAM WORD... for every one of PROGRAMS at once;  was PROGRAM: how that ended
#   fill_queue                no password can be looked at for some seconds: needs a daemon started with SLOW_HASHES;
#                             $FILLER_PID is to be killed
#   recorded OUTCOME CMD...   CMD exits 0, and the daemon recorded one more login of alice of that outcome
#
# alice (2001) and dave (2004) may sudo, and use printf so without a password; carol (2005) is known to this host only.
# Everybody has another hash in shadow, $OLD, which must never work.
. tests/support/daemon.sh
. tests/support/console.sh
. tests/support/outcomes.sh

PW=correct-horse-battery OLD=unix-password-9 NEXT=another-horse-battery
PROGRAMS=('sshd password' 'sshd keyboard-interactive' 'sshd public key' 'sudo -S' 'sudo on a tty' 'sudo -n' su
    'login on the console' passwd)

terminals_setup() {
    local name
    host_setup
    host_person dave 2004
    host_person carol 2005
    usermod -aG sudo dave
    printf '%s\n' 'Defaults !lecture' 'alice,dave ALL=(ALL) NOPASSWD: /usr/bin/printf' > /etc/sudoers.d/test
    chmod 0440 /etc/sudoers.d/test
    for name in alice dave; do usermod -p "$(openssl passwd -6 "$OLD")" "$name"; done
    install -d -m 0755 /run/t
}

asks_no_password() { [ "$1" = 'sshd public key' ] || [ "$1" = 'sudo -n' ]; }

try() {
    local out answers=$3 done=ran-it
    case "$1" in
        'sshd password') out=$(ssh_as "$2" "${answers%% *}" password echo ran-"it" 2>&1) ;;
        'sshd keyboard-interactive') out=$(ssh_typed "$2" "$answers" keyboard-interactive echo ran-"it" 2>&1) ;;
        'sshd public key') out=$(ssh_as "$2" '' key echo ran-"it" 2>&1) ;;
        'sudo -S') out=$(as "$2" sudo -S -k echo ran-"it" <<< "${answers// /$'\n'}" 2>&1) ;;
        'sudo on a tty') out=$(on_pty "$2" "$answers" sudo -k sh -c 'printf ran-; echo it' 2>&1) ;;
        'sudo -n') out=$(as "$2" sudo -k -n printf '%s-it' ran 2>&1) ;;
        su) out=$(on_pty carol "$answers" su "$2" -c 'printf "\nran-"; echo it' 2>&1) ;;
        'login on the console') out=$(SHELLCMD='echo ran-"it"' on_console "$answers" "$2" 2>&1) ;;
        passwd) out=$(on_pty "$2" "$answers $NEXT $NEXT" passwd 2>&1) done='password updated successfully' ;;
    esac
    echo "$out"
    grep -q "$done" <<< "$out"
}

# ssh_typed USER ANSWERS METHOD CMD...: on a terminal, where several questions can be answered.
ssh_typed() {
    local user=$1 answers=$2 method=$3 key=no
    shift 3
    [ "$method" != publickey ] || key=yes
    on_pty root "$answers" ssh -tt -p 2222 -i /run/t/id -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null \
        -oLogLevel=ERROR -oNumberOfPasswordPrompts=1 -oPubkeyAuthentication=$key -oPreferredAuthentications="$method" \
        "$user@127.0.0.1" "$@"
}

# A program that cannot load the module refuses as well, so the module must have spoken.
denied() {
    local from
    from=$(stat -c %s "$KEEP/syslog.txt")
    ! try "$@" && until_ok 5 module_spoke "$1" "$from" && return
    echo "let in, or no line of the module:"
    tail -c "+$((from + 1))" "$KEEP/syslog.txt"
    return 1
}
module_spoke() { # PROGRAM FROM
    local service=${1%% *}
    tail -c "+$(($2 + 1))" "$KEEP/syslog.txt" | grep -F "pam_secauth($service:" | grep -Fvq -e dlopen -e faulty
}

at_once() {
    local i pids=()
    for i in "${!PROGRAMS[@]}"; do
        { "$1" "${PROGRAMS[i]}" "${@:2}" > "/run/t/at_once.$i" 2>&1; echo $? > "/run/t/at_once.$i.status"; } &
        pids+=($!)
    done
    wait "${pids[@]}"
}
was() {
    local i
    for i in "${!PROGRAMS[@]}"; do
        if [ "${PROGRAMS[i]}" = "$1" ]; then
            cat "/run/t/at_once.$i"
            return "$(< "/run/t/at_once.$i.status")"
        fi
    done
    return 2
}

# What keeps the worker busy is the hash of a person of whom no password is known to fit.
SLOW_HASHES=(password.memory=65536 password.passes=4 password.hash_threads=1 password.max_millis=10000)
fill_queue() {
    local hash
    hash=$(printf '%086d' 0)
    # shellcheck disable=SC2016 # not a variable
    secauthctl user import --uid 2006 <<< 'slow:$6$rounds=9900000$saltsalt$'"$hash"':20000:0:99999:7:::' || return 1
    /usr/bin/python3 tests/programs/full_queue.py > /run/t/filled &
    FILLER_PID=$!
    until_ok 20 grep -q full /run/t/filled
}

logins() { secauthctl audit list --event LOGIN --user alice --output json | jq --arg word "$1" \
    '[.[] | select((.outcome | ascii_upcase) == $word)] | length'; }
recorded() {
    local word=$1 before
    shift
    before=$(logins "$word")
    "$@" && test "$(logins "$word")" -gt "$before"
}
