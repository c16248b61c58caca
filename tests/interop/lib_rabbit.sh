# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_rabbit.sh - RabbitMQ nodes with their STOMP plugin, on loopback, with all their files in one directory. After
# tests/lib.sh or bench/lib.sh, which end what is started:
#
#	rabbit_lacks                    says what is missing; nothing: all is there
#	rabbit_begin DIRECTORY [NODE...]    settings for nodes (default: one), and their epmd
#	rabbit_start one; rabbit_port one   a node, until STOMP listens; where it does
#	rabbit_unite one two three      several, which become one cluster
#	rabbit_kill one; rabbit_start one   it dies without a word and comes back with what it had
#	kill -STOP "$(rabbit_pid one)"; rabbit_owes one     it stands still; something waits in its socket
#	rabbit_ctl one list_queues      rabbitmqctl at this node
#	rabbit_count one QUEUE          records that wait in a queue, as the queue itself counts them
#	rabbit_stomp one drain QUEUE    tests/interop/stomp_peer.py at this node
#
# The Debian wrappers in /usr/sbin change the user and write below /var; the scripts behind them do not. Ports
# are free ones and nodes have names of their own; epmd, the name service of Erlang, is also ours, or two
# tests would meet in the one that the first node of a host leaves behind.

RABBIT_BIN=/usr/lib/rabbitmq/bin
RABBIT_USER=lastack RABBIT_PASSWORD=right
RABBIT_PYTHON=/usr/bin/python3 # Debian's: python3-stomp is there, whatever PATH has
RABBIT_BOOT_S=90               # on a busy machine; 5 s on an idle one

rabbit_lacks() {
	[ -x $RABBIT_BIN/rabbitmq-server ] || { echo "rabbitmq-server is not installed" && return; }
	command -v epmd erl >/dev/null || { echo "Erlang is not installed" && return; }
	[ -n "$(ls -d /usr/lib/rabbitmq/lib/*/plugins/rabbitmq_stomp-* 2>/dev/null)" ] ||
		{ echo "RabbitMQ has no STOMP plugin" && return; }
	$RABBIT_PYTHON -c 'import stomp' 2>/dev/null || echo "python3-stomp is not installed"
}

# Free a moment ago; several at once, so that they differ.
rabbit_free_ports() {
	$RABBIT_PYTHON -c 'import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*[one.getsockname()[1] for one in held])' "$1"
}

# Both libraries can start something in the background, each in its own way.
rabbit_run() { # NAME COMMAND...: rabbit_pid_NAME
	local name=$1
	if declare -F t_run >/dev/null; then
		t_run "$@" </dev/null
		eval "rabbit_pid_$name=$(t_pid "$name")"
	else
		shift
		b_run "$@" >"$rabbit_dir/$name.out" 2>&1 </dev/null
		eval "rabbit_pid_$name=$B_PID"
	fi
}
rabbit_await() { # SECONDS COMMAND...
	if declare -F t_wait_for >/dev/null; then t_wait_for "$@"; else b_wait_for "$@"; fi
}
rabbit_pid() { eval "echo \"\$rabbit_pid_$1\""; }
rabbit_port() { cat "$rabbit_dir/$1/stomp.port"; }
rabbit_listens() { # PORT...
	local port
	for port in "$@"; do
		ss -Hltn "sport = :$port" | grep -q . || return
	done
}

rabbit_begin() { # DIRECTORY [NODE...]
	local node ports index=0
	rabbit_dir=$1 && shift
	[ $# -gt 0 ] || set -- one
	mkdir -p "$rabbit_dir/home"
	printf 'lastack%s' "$RANDOM$RANDOM" >"$rabbit_dir/home/.erlang.cookie"
	chmod 400 "$rabbit_dir/home/.erlang.cookie"
	read -ra ports <<<"$(rabbit_free_ports $((1 + 3 * $#)))"
	rabbit_epmd_port=${ports[0]}
	for node in "$@"; do
		rabbit_configure "$node" "${ports[@]:1+3*index:3}"
		index=$((index + 1))
	done
	rabbit_run epmd epmd -address 127.0.0.1 -port "$rabbit_epmd_port"
	rabbit_await 10 rabbit_listens "$rabbit_epmd_port"
}

rabbit_configure() { # NODE STOMP-PORT AMQP-PORT DISTRIBUTION-PORT
	local dir=$rabbit_dir/$1
	mkdir -p "$dir"
	echo "$2" >"$dir/stomp.port"
	echo "$4" >"$dir/distribution.port"
	echo '[rabbitmq_stomp].' >"$dir/plugins"
	{
		echo "listeners.tcp.1 = 127.0.0.1:$3"
		echo "stomp.listeners.tcp.1 = 127.0.0.1:$2"
		echo "default_user = $RABBIT_USER"
		echo "default_pass = $RABBIT_PASSWORD"
		echo "log.file.level = info"
		echo "disk_free_limit.absolute = 50MB"
	} >"$dir/rabbitmq.conf"
}

# What a node and its commands need to know, in rabbit_vars: env has to become the node, no shell of ours.
rabbit_env() { # NODE
	local dir=$rabbit_dir/$1
	rabbit_vars=(-u RABBITMQ_HOME "HOME=$rabbit_dir/home" LC_ALL=C.UTF-8
		"ERL_EPMD_PORT=$rabbit_epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP=/dev/null
		RABBITMQ_CONF_ENV_FILE=/dev/null "RABBITMQ_NODENAME=$1@localhost"
		"RABBITMQ_DIST_PORT=$(cat "$dir/distribution.port")"
		"RABBITMQ_CONFIG_FILE=$dir/rabbitmq.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$dir/advanced.config"
		"RABBITMQ_ENABLED_PLUGINS_FILE=$dir/plugins" "RABBITMQ_MNESIA_BASE=$dir/data"
		"RABBITMQ_LOG_BASE=$dir/log" "RABBITMQ_GENERATED_CONFIG_DIR=$dir/generated"
		"RABBITMQ_FEATURE_FLAGS_FILE=$dir/feature_flags" "RABBITMQ_PID_FILE=$dir/pid")
}

# Told that systemd runs it, the script becomes the node: one process id to wait for and to kill.
rabbit_boot() { # NODE
	rabbit_env "$1"
	rabbit_run "$1" env "${rabbit_vars[@]}" RUNNING_UNDER_SYSTEMD=true \
		RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}' \
		$RABBIT_BIN/rabbitmq-server
}
rabbit_start() { # NODE
	rabbit_boot "$1"
	rabbit_await $RABBIT_BOOT_S rabbit_listens "$(rabbit_port "$1")"
}

# Something was sent to it that it has not read. NODE
rabbit_owes() {
	ss -Htn state established "sport = :$(rabbit_port "$1")" | awk '$1 > 0 { found = 1 } END { exit !found }'
}

# All listen, and are one cluster. Said one after another: nodes that look for each other while they start may
# give up on a busy machine, and then each of them is a cluster of its own.
rabbit_unite() { # NODE...
	local first=$1 node
	for node in "$@"; do rabbit_boot "$node"; done
	for node in "$@"; do rabbit_await $RABBIT_BOOT_S rabbit_listens "$(rabbit_port "$node")"; done
	shift
	for node in "$@"; do
		rabbit_ctl "$node" stop_app && rabbit_ctl "$node" join_cluster "$first@localhost" &&
			rabbit_ctl "$node" start_app || return
	done
	for node in "$@"; do rabbit_await $RABBIT_BOOT_S rabbit_listens "$(rabbit_port "$node")"; done
}

# Its port is free again when this returns.
rabbit_kill() { # NODE [SIGNAL]
	if declare -F t_stop >/dev/null; then
		t_stop "$1" "${2:-KILL}" 60
	else
		b_end "$(rabbit_pid "$1")" "${2:-KILL}"
	fi
}

rabbit_ctl() { # NODE ARG...
	local node=$1
	shift
	rabbit_env "$node"
	env "${rabbit_vars[@]}" RABBITMQ_CTL_ERL_ARGS='-start_epmd false' \
		$RABBIT_BIN/rabbitmqctl --silent --node "$node@localhost" "$@"
}

# list_queues may be seconds behind.
rabbit_count() { # NODE QUEUE
	rabbit_ctl "$1" eval "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"$2\">>)),
		{ok, Count, _} = rabbit_amqqueue:stat(Q), Count." 2>/dev/null || echo 0
}
rabbit_has() { [ "$(rabbit_count "$1" "$2")" -ge "$3" ]; } # NODE QUEUE COUNT: as many or more

# A quorum queue is in the node's register of queues, on disk: that is written seconds after its first records are
# confirmed, and a node of RabbitMQ 3.10 that is killed before comes back with the queue empty and without a leader.
rabbit_remembers() { grep -qs "$2" "$rabbit_dir/$1"/data/*/quorum/*/names.dets; } # NODE QUEUE

# Who leads a quorum queue: NODE. Empty: nobody yet.
rabbit_leader() { # NODE QUEUE
	rabbit_ctl "$1" list_queues name leader --no-table-headers 2>/dev/null |
		sed -n "s/^$2[[:space:]]*\([^@]*\)@.*/\1/p"
}
# All nodes know each other and run.
rabbit_united() { # NODE COUNT
	[ "$(rabbit_ctl "$1" eval 'length(rabbit_nodes:all_running()).' 2>/dev/null)" = "$2" ]
}

rabbit_stomp() { # NODE COMMAND ARG...
	local node=$1
	shift
	$RABBIT_PYTHON tests/interop/stomp_peer.py --port "$(rabbit_port "$node")" --user $RABBIT_USER \
		--password $RABBIT_PASSWORD --vhost / "$@"
}
