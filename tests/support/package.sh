# Sourced after daemon.sh: secauth as a package, on a host where systemd is played.
#
#   package_build VERSION          /run/t/secauth_VERSION.deb
#   systemd_played                 /run/systemd/system is there, and systemctl starts, stops and watches secauthd.service as
#                                  the unit file of the installed package says (unit_manager.py); everything else that
#                                  systemctl is asked for is the real one's answer from files. The real
#                                  deb-systemd-invoke and deb-systemd-helper of the maintainer scripts find it there.
#   daemon_pid                     the daemon's; fails when there is none
package_build() { BUILD=$BUILD tests/support/make-deb "$1" "/run/t/secauth_$1.deb"; }

systemd_played() {
    mkdir -p /run/systemd/system /run/t
    mv /usr/bin/systemctl /usr/bin/systemctl.real
    cat > /usr/bin/systemctl <<- 'SH'
		#!/bin/bash
		for word in "$@"; do
		    case $word in
		        start | stop | restart | is-active | daemon-reload)
		            exec /usr/bin/python3 -c 'import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect("/run/t/manager.sock")
		s.sendall(sys.argv[1].encode())
		sys.exit(int(s.recv(8)))' "$word"
		            ;;
		    esac
		done
		exec /usr/bin/systemctl.real --root=/ "$@"
	SH
    chmod 0755 /usr/bin/systemctl
}

# Once the unit file is there or not: it is read at a start.
manager_start() {
    tests/support/unit_manager.py "$1" /run/t/manager.sock "$KEEP/secauthd.log" &
    MANAGER_PID=$!
    until_ok 5 test -S /run/t/manager.sock
}

daemon_pid() { pgrep -xo secauthd; }
