# Sourced after daemon.sh: shells of people that stay open, each a login of its own through the machine's sshd.
#
#   shell_open NAME USER METHOD    USER logs in with $PW (kbd, password) or the key; waits until the shell answers
#   shell_run NAME COMMAND         what COMMAND prints in it, both streams; its exit status
#   shell_close NAME               the shell exits, and the login is over
declare -A SHELL_FD=() SHELL_PID=()

shell_open() {
    local name=$1 fd
    mkfifo -m 0600 "/run/t/shell.$name.in"
    ssh_shell "$2" "${3:-}" < "/run/t/shell.$name.in" > "/run/t/shell.$name.out" 2>&1 &
    SHELL_PID[$name]=$!
    exec {fd}> "/run/t/shell.$name.in"
    SHELL_FD[$name]=$fd
    shell_run "$name" true || { cat "/run/t/shell.$name.out"; return 1; }
}

# ssh_as gives a login by key no input; a shell needs it.
ssh_shell() {
    if [ "$2" = key ]; then
        ssh -p 2222 -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR -oBatchMode=yes \
            -i /run/t/id "$1@127.0.0.1" bash
    else
        ssh_as "$1" "$PW" "$2" bash
    fi
}

shell_run() {
    local out=/run/t/shell.$1.out mark=end-$RANDOM$RANDOM before status
    before=$(stat -c %s "$out" 2> /dev/null || echo 0)
    printf '{ %s\n} 2>&1 < /dev/null; s=$?; echo; echo %s $s\n' "$2" "$mark" >&"${SHELL_FD[$1]}"
    until_ok 20 grep -q "^$mark" "$out" || { echo "the shell does not answer"; return 1; }
    tail -c "+$((before + 1))" "$out" | sed "/^$mark/d"
    status=$(sed -n "s/^$mark //p" "$out")
    return "$status"
}

shell_close() {
    local fd=${SHELL_FD[$1]}
    echo exit >&"$fd" # its pipe may have come down to what was started since: no end of file
    exec {fd}>&-
    wait "${SHELL_PID[$1]}"
}
