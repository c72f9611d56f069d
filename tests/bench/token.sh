# shellcheck shell=bash
# Sourced by tests/bench/run: the cases of `token`.
#
# A limit is made of what was measured next to its case, in the same run, 1 / (1/A + 1/B + ...):
#   S  tokens built and signed by all cores
#   C  the bare commit of the same rows at a fixed batch of half the callers: while one half is being signed for, the other
#      is committed, on the same cores
#   V  signatures verified by all cores
#   I  empty calls on the socket: the key set, which is in memory
#   E  empty calls through the gateway by the same client: its own health, for which the daemon is not asked

SESSIONS=0 # refresh tokens handed out so far
TOKENS=$((1 + 3 * ROUNDS * (1 + 16 + 64) + 2 * 16 + 1 + 2 * SPREAD))
any_selected token.refresh || TOKENS=2
PEOPLE=$((TOKENS / 400 + 1)) # who share them: nobody may have more than 500 sessions

# Each case ends with cpu=, the same by what a call costs the cores: the sum of S, C, V, I or E, by that of client, gateway
# and daemon. Other work on the machine changes it little.

# "RATE CPU" of all that is done one after the other; RATE CPU each.
one_of() { awk '{ for (i = 1; i < NF; i += 2) { sum += 1 / $i; cpu += $(i + 1) } printf "%.0f %.2f\n", 1 / sum, cpu }' <<< "$*"; }

# "LIMIT CPU" of a case.
limit_of() { # KIND DOOR CALLERS
    local kind=$1 door=$2 callers=$3 batch=$(($3 / 2)) parts said
    [ "$batch" -ge 1 ] || batch=1
    if [ "$kind" = introspect ]; then
        parts=$("$BENCH/bench_verify" "$LIMIT_SECONDS" | awk -v cores="$(nproc)" '{ print $2 * cores, 1e6 / $2 }') || die "no limit"
        said="V=${parts% *}/s"
    else
        parts=$("$BENCH/bench_sign" "$LIMIT_SECONDS") || die "no limit"
        said="S=${parts% *}/s"
        parts+=" $("$BENCH/bench_commit" "$STORE.limit" "$kind" "$batch" "$LIMIT_SECONDS")" || die "no limit"
        said+=" C($batch)=$(cut -d' ' -f3 <<< "$parts")/s"
    fi
    if [ "$kind.$door" = introspect.socket ]; then
        parts+=" $(costs socket empty_on_socket "$callers" | cut -d' ' -f1,4)"
        said+=" I=$(cut -d' ' -f3 <<< "$parts")/s"
    elif [ "$door" != socket ]; then
        parts+=" $(costs "$door" empty_by_gateway "$kind" "$door" "$callers" | cut -d' ' -f1,4)"
        said+=" E=$(awk '{ print $(NF - 1) }' <<< "$parts")/s"
    fi
    echo "# $kind at $door.$callers: $said" >&2
    one_of "$parts"
}

ticks_of() { awk '{ sum += $14 + $15 } END { print sum * 10000 }' "${@/%//stat}"; } # microseconds

# What a run says, "RATE P50 P99 CALLS CPU", as "RATE P50 P99 CPU" with that of daemon and gateway, for each call.
costs() { # DOOR CMD...
    local door=$1 before said processes
    shift
    processes=("/proc/$DAEMON_PID")
    [ "$door" = socket ] || processes+=("/proc/${GATEWAY_PID[$door]}")
    before=$(ticks_of "${processes[@]}")
    said=$("$@") || return 1
    awk -v b="$before" -v a="$(ticks_of "${processes[@]}")" '{ printf "%s %s %s %.2f\n", $1, $2, $3, ($5 + a - b) / $4 }' <<< "$said"
}

empty_on_socket() { "$BENCH/bench_load" empty "$ROOT_SOCKET" "$LIMIT_SECONDS" "$1"; }

empty_by_gateway() { # KIND DOOR CALLERS
    case "$1.$2" in
        refresh.tls) "$BENCH/bench_grpc" empty localhost:7443 "$TLS_CA" "$LIMIT_SECONDS" "$3" ;;
        refresh.local) as alice /usr/local/bin/bench_grpc empty "unix:$GATEWAY_SOCKET" - "$LIMIT_SECONDS" "$3" ;;
        *.tls) h2 "$3" root "$LIMIT_SECONDS" /run/t/empty.bin https://127.0.0.1:7443/grpc.health.v1.Health/Check ;;
        *.local) h2 "$3" alice "$LIMIT_SECONDS" /run/t/empty.bin -B "unix:$GATEWAY_SOCKET" http://localhost/grpc.health.v1.Health/Check ;;
    esac
}

# One body that is sent for ever: the mean of the times stands for their middle, and the rate is that of HTTP's 200.
h2() { # CALLERS AS-USER SECONDS BODY H2LOAD-WORDS...
    local connections=4 streams=$(($1 / 4)) user=$2 seconds=$3 body=$4 log=$KEEP/h2load.log spent TIMEFORMAT='%U %S'
    [ "$1" -ge 4 ] || connections=1 streams=1
    shift 4
    spent=$({ time as "$user" h2load -t 1 -c $connections -m $streams -D "$(awk -v s="$seconds" 'BEGIN { print s * 1000 }')ms" \
        -d "$body" -H 'content-type: application/grpc' -H 'te: trailers' "$@" > "$log" 2>&1; } 2>&1) || die "h2load failed"
    awk -v spent="$spent" '
        function micros(text) { return text * (text ~ /us$/ ? 1 : text ~ /ms$/ ? 1000 : 1000000) }
        /^finished in/ { rate = $4 } /^requests:/ { done = $6; failed = $10 + $12 } /^time for request:/ { mean = micros($6) }
        END {
            if (failed > 0 || done == 0) exit 1
            split(spent, part, " ")
            printf "%.0f %d %d %d %d\n", rate, mean, mean, done, (part[1] + part[2]) * 1e6
        }' "$log" || die "h2load: calls failed"
}

audit_sequence() { secauthctl --output json status | sed -n 's/.*"audit_sequence": \([0-9]*\),*/\1/p'; }

# A refusal over gRPC is HTTP's 200, too: the daemon's own records say how many tokens there were.
issue_by_h2() {
    local before answer
    before=$(audit_sequence)
    answer=$(h2 "$@") || return 1
    [ $(($(audit_sequence) - before)) -ge "$(cut -d' ' -f4 <<< "$answer")" ] || die "the answers over gRPC were not grants"
    echo "$answer"
}

run_case() { # KIND DOOR CALLERS
    local kind=$1 door=$2 callers=$3 service=secauth.v1.TokenService
    case "$kind.$door" in
        issue.socket) "$BENCH/bench_load" issue "$ROOT_SOCKET" "$TOKEN_SECONDS" "$callers" < /run/t/issue.txt ;;
        introspect.socket)
            "$BENCH/bench_load" introspect "$ROOT_SOCKET" "$TOKEN_SECONDS" "$callers" < /run/t/introspect.txt ;;
        refresh.socket) next_tokens "$callers" | "$BENCH/bench_load" refresh "$ROOT_SOCKET" "$TOKEN_SECONDS" "$callers" ;;
        refresh.tls) next_tokens "$callers" |
            "$BENCH/bench_grpc" refresh localhost:7443 "$TLS_CA" "$TOKEN_SECONDS" "$callers" ;;
        refresh.local) next_tokens "$callers" |
            as alice /usr/local/bin/bench_grpc refresh "unix:$GATEWAY_SOCKET" - "$TOKEN_SECONDS" "$callers" ;;
        issue.tls) issue_by_h2 "$callers" root "$TOKEN_SECONDS" /run/t/issue.bin https://127.0.0.1:7443/$service/IssueToken ;;
        issue.local) issue_by_h2 "$callers" alice "$TOKEN_SECONDS" /run/t/issue.bin -B "unix:$GATEWAY_SOCKET" \
            http://localhost/$service/IssueToken ;;
        introspect.tls) h2 "$callers" root "$TOKEN_SECONDS" /run/t/introspect.bin https://127.0.0.1:7443/$service/IntrospectToken ;;
        introspect.local) h2 "$callers" alice "$TOKEN_SECONDS" /run/t/introspect.bin -B "unix:$GATEWAY_SOCKET" \
            http://localhost/$service/IntrospectToken ;;
    esac
}

# A case and its limit in turns; the round with the middle ratio.
token_case() { # KIND DOOR CALLERS
    local name=token.$1.$2.$3 limit answer i
    selected "$name" || return 0
    : > /run/t/rounds
    for ((i = 0; i < ROUNDS; i++)); do
        limit=$(limit_of "$@") || die "$name has no limit"
        answer=$(costs "$2" run_case "$@") || die "$name was not measured"
        [ "$1" != refresh ] || SESSIONS=$((SESSIONS + $3))
        awk -v n="$name" '{ printf "%.4f %s ours=%d/s limit=%d/s ratio=%.2f p50=%.2fms p99=%.2fms cpu=%.2f\n",
            $3 / $1, n, $3, $1, $3 / $1, $4 / 1000, $5 / 1000, $2 / $6 }' <<< "$limit $answer" >> /run/t/rounds
    done
    sort -n /run/t/rounds | sed -n "$(((ROUNDS + 1) / 2))p" | cut -d' ' -f2-
}

# The client and COUNT tokens that nobody has presented yet.
next_tokens() {
    echo app
    sed -n "$((SESSIONS + 2)),$((SESSIONS + 1 + $1))p" /run/t/tokens.txt
}

# People's first refresh tokens, a line each; and what h2load sends, each with the prefix of 5 bytes that gRPC has.
first_tokens() { # COUNT
    /usr/bin/python3 - "$TLS_CA" "$PASSWORD" "$1" $PEOPLE <<- 'PY'
		import importlib.util, struct, sys
		spec = importlib.util.spec_from_file_location("client", "examples/python/client.py")
		example = importlib.util.module_from_spec(spec)
		spec.loader.exec_module(example)
		ca, password, count, people = sys.argv[1:]
		client = example.Client("localhost:7443", ca)
		token = client.pb.token

		def secret_of(client_id):
		    return open(f"/run/t/{client_id}").read().strip().encode()

		def keep(name, message):
		    body = message.SerializeToString()
		    open(f"/run/t/{name}.bin", "wb").write(struct.pack(">BI", 0, len(body)) + body)

		# Real answers first, verified as a service would: h2load looks at HTTP's 200 only.
		access = client.issue("svc", secret_of("svc"), "demo", "").access_token
		claims = client.verify(access.decode(), "demo")
		assert claims["sub"] == "svc", claims
		assert client.introspect("demo", secret_of("demo"), access).active
		keep("issue", token.IssueTokenRequest(client=client._auth("svc", secret_of("svc")), tokens=client._request("demo")))
		keep("introspect", token.IntrospectTokenRequest(client=client._auth("demo", secret_of("demo")), token=access))
		open("/run/t/empty.bin", "wb").write(bytes(5))
		open("/run/t/introspect.txt", "wb").write(b"\n".join([b"demo", secret_of("demo"), access, b""]))
		for number in range(int(count)):
		    print(client.login("app", f"person{number % int(people)}", password.encode(), "demo").refresh_token.decode())
	PY
}

prepare_tokens() {
    local person
    for ((person = 0; person < PEOPLE; person++)); do
        secauthctl user add "person$person" --uid $((3000 + person)) <<< "$PASSWORD" > "$KEEP/setup.log" || die "no user"
    done
    secauthctl client add svc --audience demo=read,write --secret-file /run/t/svc > "$KEEP/setup.log" || die "no client"
    secauthctl client add demo --owns demo --secret-file /run/t/demo > "$KEEP/setup.log" || die "no client"
    secauthctl client add app --public --login --audience demo=read,write > "$KEEP/setup.log" || die "no client"
    { echo svc; cat /run/t/svc; echo demo; } > /run/t/issue.txt
    first_tokens $TOKENS > /run/t/tokens.txt || die "no refresh tokens"
    "$BENCH/bench_load" issue "$ROOT_SOCKET" 0.1 1 < /run/t/issue.txt > "$KEEP/setup.log" || die "no tokens"
    { echo app; sed -n 1p /run/t/tokens.txt; } | "$BENCH/bench_load" refresh "$ROOT_SOCKET" 0.1 1 > "$KEEP/setup.log" ||
        die "no refresh"
    install -m 0755 "$BENCH/bench_grpc" /usr/local/bin/bench_grpc
}

memory_of() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }

# Of processes that have just begun, and hold no hash's memory: 16 MiB is what each may have.
memory_cases() {
    local name pid
    for name in daemon local tls; do
        selected "token.memory.$name" || continue
        pid=$DAEMON_PID
        [ $name = daemon ] || pid=${GATEWAY_PID[$name]}
        awk -v n="token.memory.$name" -v m="$(memory_of "$pid")" 'BEGIN { printf "%s ours=%dKiB limit=16384KiB ratio=%.2f\n", n, m, 16384 / m }'
    done
}

# Refreshes while every hash worker is busy: at most three times as late as alone, by the 99th percentile.
busy_case() {
    local alone busy logins
    selected token.refresh.busy || return 0
    alone=$(next_tokens 16 | "$BENCH/bench_load" refresh "$ROOT_SOCKET" "$TOKEN_SECONDS" 16) || die "no refresh"
    SESSIONS=$((SESSIONS + 16))
    /usr/bin/python3 tests/bench/logins.py "$((WORKERS * 2))" "$PASSWORD" &
    logins=$!
    sleep 0.5
    busy=$(next_tokens 16 | "$BENCH/bench_load" refresh "$ROOT_SOCKET" "$TOKEN_SECONDS" 16) || die "no refresh"
    SESSIONS=$((SESSIONS + 16))
    kill $logins
    wait $logins 2> /dev/null
    awk -v a="$alone" -v b="$busy" 'BEGIN { split(a, x, " "); split(b, y, " ")
        printf "token.refresh.busy ours=%.2fms limit=%.2fms ratio=%.2f\n", y[3] / 1000, x[3] / 1000, x[3] / y[3] }'
}

# What the sessions take on the disk, with their indexes.
disk_of_sessions() {
    /usr/bin/python3 -c "import sqlite3, sys
print(sqlite3.connect(sys.argv[1], timeout=20).execute('SELECT sum(pgsize) FROM dbstat WHERE name LIKE \"sessions%\"').fetchone()[0])" "$STORE"
}

# One session, before it was refreshed and some ten thousand times later.
disk_case() {
    local once more tokens
    selected token.refresh.disk || return 0
    tokens=$(next_tokens 1)
    SESSIONS=$((SESSIONS + 1))
    once=$(disk_of_sessions)
    more=$(audit_sequence)
    "$BENCH/bench_load" refresh "$ROOT_SOCKET" "$TOKEN_SECONDS" 1 <<< "$tokens" > "$KEEP/setup.log" || die "no refresh"
    more=$(($(audit_sequence) - more))
    awk -v o="$once" -v m="$(disk_of_sessions)" -v n="$more" 'BEGIN {
        printf "token.refresh.disk ours=%dbytes limit=%dbytes ratio=%.2f refreshes=%d\n", m, o, o / m, n }'
}

# Refreshes of tokens all over a store of many sessions, against those of a store with few: MANY rows are put between them.
many_case() {
    local few many
    selected token.refresh.many || return 0
    few=$(next_tokens "$SPREAD" | "$BENCH/bench_load" refresh "$ROOT_SOCKET" "$TOKEN_SECONDS" 64) || die "no refresh"
    SESSIONS=$((SESSIONS + SPREAD))
    stop_daemon || die "the daemon does not stop"
    /usr/bin/python3 tests/bench/sessions.py "$STORE" "$MANY" || die "no sessions"
    configured
    warm_up
    many=$(next_tokens "$SPREAD" | "$BENCH/bench_load" refresh "$ROOT_SOCKET" "$TOKEN_SECONDS" 64) || die "no refresh"
    awk -v f="$few" -v m="$many" -v n="$MANY" 'BEGIN { split(f, x, " "); split(m, y, " ")
        printf "token.refresh.many ours=%d/s limit=%d/s ratio=%.2f sessions=%d p50=%.2fms p99=%.2fms\n", y[1], x[1], y[1] / x[1], n, y[2] / 1000, y[3] / 1000 }'
}
