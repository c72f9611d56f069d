# Sourced after daemon.sh: login(1) on the console, as getty would start it.
#
#   on_console ANSWERS [WORD...]   login with the WORDs on a terminal that is /dev/tty1, for it and for whom it asks.
#                                  Prompts are answered in turn (a Tcl list); $SHELLCMD goes to the shell. Prints the dialogue.
#                                  Its exit status is login's.
on_console() {
    local answers=$1 status=0
    shift
    # shellcheck disable=SC2016 # the inner shell's words
    on_pty root "$answers" /bin/sh -c '
        touch /dev/tty1 && mount --bind "$(tty)" /dev/tty1 || exit 2
        exec login "$@" <> /dev/tty1 >&0 2>&0' login "$@" || status=$?
    umount /dev/tty1
    return "$status"
}
