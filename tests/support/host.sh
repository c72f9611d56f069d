# Sourced inside a private host by tests and by quickstart: what an administrator would do to a host, as functions.
# BUILD is the build folder, KEEP where logs go; the current directory is the project's root.
: "${BUILD:?}" "${KEEP:?}"
[ "${IN_HOST:-}" = yes ] && [ -d /run/up/etc ] || { echo "host.sh: not in a private host" >&2; exit 2; }

host_users() {
    local name
    for name in secauth secauth-grpc secauth-grpc-local; do
        getent passwd "$name" > /dev/null ||
            useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "$name"
    done
    host_person alice 2001
    host_person bob 2002
    usermod -aG sudo alice
}

# host_person NAME UID: whoever has the name or the uid on the real host gives way here.
host_person() {
    local other
    for other in "$1" "$(getent passwd "$2" | cut -d: -f1)"; do
        ! getent passwd "$other" > /dev/null || userdel -f "$other"
    done
    useradd -m -s /bin/bash -u "$2" "$1" 2> /dev/null
    chown -R "$1:" "/home/$1" # it may be there already, of another uid
    usermod -p '!' "$1"
}

host_syslog() {
    /usr/bin/python3 -c 'import os, socket, sys
sink = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sink.bind("/dev/log")
os.chmod("/dev/log", 0o666)
with open(sys.argv[1], "w", 1) as lines:
    while True:
        lines.write(sink.recv(65536).decode("utf8", "backslashreplace").rstrip("\n\0") + "\n")' "$KEEP/syslog.txt" &
    SYSLOG_PID=$!
    until [ -S /dev/log ]; do
        kill -0 "$SYSLOG_PID" || return 1
        sleep 0.02
    done
}

# Programs from the build folder to where a package puts them; what is not built yet is left out.
host_install() {
    local from to
    while read -r from to; do
        [ ! -e "$BUILD/$from" ] || install -D -m 0755 "$BUILD/$from" "$to"
    done <<- 'LIST'
		service/secauthd /usr/sbin/secauthd
		service/gateway/secauth-grpc /usr/sbin/secauth-grpc
		client/secauthctl /usr/bin/secauthctl
		client/secauthctl-offline /usr/libexec/secauth/secauthctl-offline
		client/secauthctl-setup /usr/libexec/secauth/secauthctl-setup
	LIST
    install -D -m 0644 "$BUILD/pam/pam_secauth.so" "$(host_module_dir)/pam_secauth.so"
}

host_module_dir() {
    echo "/usr/lib/$(gcc -dumpmachine 2> /dev/null || echo x86_64-linux-gnu)/security"
}

host_profile() {
    install -D -m 0644 etc/pam-configs/secauth /usr/share/pam-configs/secauth
    DEBIAN_FRONTEND=noninteractive pam-auth-update --package
}

# host_conf FILE SECTION.KEY=VALUE...: a configuration; a setting given twice keeps its last value.
host_conf() {
    local file=$1
    shift
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$@" | awk '
        {
            split_at = index($0, "="); name = substr($0, 1, split_at - 1); text = substr($0, split_at + 1)
            gsub(/[ \t]/, "", name); sub(/^[ \t]+/, "", text)
            dot = index(name, "."); section = substr(name, 1, dot - 1)
            if (!(section in seen)) { seen[section] = 1; sections[++n] = section }
            if (!(name in value)) keys[section] = keys[section] " " name
            value[name] = text
        }
        END {
            for (i = 1; i <= n; i++) {
                print "[" sections[i] "]"
                count = split(keys[sections[i]], names, " ")
                for (k = 1; k <= count; k++)
                    print substr(names[k], length(sections[i]) + 2) " = " value[names[k]]
            }
        }' > "$file"
}

# A certificate authority and a server certificate for localhost, private.example and 127.0.0.1, good for a day.
host_certificate() {
    local dir=$1
    mkdir -p "$dir"
    [ ! -e "$dir/server.pem" ] || return 0
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj '/CN=private CA' \
        -keyout "$dir/ca.key" -out "$dir/ca.pem" 2> /dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout "$dir/server.key" \
        -out "$dir/server.csr" 2> /dev/null
    openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 1 \
        -extfile <(echo 'subjectAltName=DNS:localhost,DNS:private.example,IP:127.0.0.1') -out "$dir/server.pem" \
        2> /dev/null
    chown secauth-grpc "$dir/server.key"
    chmod 0400 "$dir/server.key"
}

# The machine's own sshd, on a port of its own; further arguments are further lines of its configuration.
host_sshd_config() {
    local dir=$1
    shift
    mkdir -p "$dir"
    [ -e "$dir/host" ] || ssh-keygen -qt ed25519 -N '' -f "$dir/host"
    [ -e "$dir/id" ] || ssh-keygen -qt ed25519 -N '' -f "$dir/id"
    install -m 0644 "$dir/id.pub" "$dir/keys"
    printf '%s\n' "$@" 'Port 2222' 'ListenAddress 127.0.0.1' "HostKey $dir/host" "AuthorizedKeysFile $dir/keys" \
        "PidFile $dir/sshd.pid" 'UsePAM yes' 'PasswordAuthentication yes' 'KbdInteractiveAuthentication yes' \
        'LogLevel VERBOSE' 'MaxStartups 100' 'Subsystem sftp internal-sftp' > "$dir/sshd_config"
}

# ssh_as USER PASSWORD METHOD CMD...: METHOD is kbd, password or key.
ssh_as() {
    local user=$1 password=$2 method=$3
    shift 3
    local common=(-p 2222 -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oLogLevel=ERROR
        -oNumberOfPasswordPrompts=1 -oConnectTimeout=20)
    case "$method" in
        kbd) SSHPASS=$password sshpass -e ssh "${common[@]}" -oPubkeyAuthentication=no \
            -oPreferredAuthentications=keyboard-interactive "$user@127.0.0.1" "$@" ;;
        password) SSHPASS=$password sshpass -e ssh "${common[@]}" -oPubkeyAuthentication=no \
            -oPreferredAuthentications=password "$user@127.0.0.1" "$@" ;;
        key) ssh "${common[@]}" -oBatchMode=yes -i /run/t/id "$user@127.0.0.1" "$@" < /dev/null ;;
    esac
}

as() {
    local user=$1
    shift
    setpriv --reuid "$(id -u "$user")" --regid "$(id -g "$user")" --init-groups env -i HOME="/home/$user" \
        USER="$user" LOGNAME="$user" PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb KEEP="$KEEP" \
        BUILD="$BUILD" ANSWERS="${ANSWERS:-}" ${SHELLCMD:+SHELLCMD="$SHELLCMD"} "$@"
}

# Several may want it at once: nobody sees half of it, or finds it in the way.
host_pty_script() {
    local new=/run/t/pty.exp.$BASHPID
    [ -e /run/t/pty.exp ] || { install -D -m 0755 tests/support/pty.exp "$new" && mv "$new" /run/t/pty.exp; }
}

on_pty() {
    local user=$1 answers=$2
    shift 2
    host_pty_script
    ANSWERS=$answers as "$user" /run/t/pty.exp "$@"
}
