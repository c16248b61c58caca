# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# lib_peers.sh - other people's servers, each with its data in B_DIR, on loopback. After bench/lib.sh:
#
#	p_mosquitto         waits until it listens; P_PORT is where, P_PID who. Users: lastack, password right
#	p_end               ends it
#
# All run in the foreground as children of ours, so that b_cleanup ends them.

P_USER=lastack P_PASSWORD=right
# What a peer is called, with its version, in the order of the tables.
p_installed() { # NAME
	case $1 in
	mosquitto | nats-server | haproxy | nginx | rsyslogd) p_program "$1" >/dev/null ;;
	imrelp) p_program rsyslogd >/dev/null && [ -n "$(ls /usr/lib/*/rsyslog/imrelp.so 2>/dev/null)" ] ;;
	rabbitmq) [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] && /usr/bin/python3 -c 'import stomp' 2>/dev/null ;;
	esac
}
p_version() { # NAME
	case $1 in
	mosquitto) mosquitto -h 2>/dev/null | sed -n '1s/ version / /p' ;;
	nats-server) nats-server --version | sed 's/: v/ /' ;;
	haproxy) haproxy -v | sed -n '1s/^HAProxy version \([^ -]*\).*/haproxy \1/p' ;;
	nginx) "$(p_program nginx)" -v 2>&1 | sed 's|.*nginx/|nginx |' ;;
	rsyslogd) "$(p_program rsyslogd)" -v | sed -n '1s/^rsyslogd  *\([^ ]*\).*/rsyslog \1/p' ;;
	rabbitmq) basename /usr/lib/rabbitmq/lib/rabbitmq_server-* | sed 's/rabbitmq_server-/RabbitMQ /' ;;
	esac
}
p_program() { PATH=$PATH:/usr/sbin command -v "$1"; }

p_port() { "${FLOW:=$(b_tool flow)}" port; }
p_listens() { ss -Hltn "sport = :$1" | grep -q .; }

# p_start NAME COMMAND...: in the background, its words in B_DIR/NAME.log, until P_PORT listens.
p_start() {
	local name=$1
	shift
	b_run "$@" >"$B_DIR/$name.log" 2>&1
	P_PID=$B_PID
	b_wait_for 20 p_listens "$P_PORT"
}
p_end() { b_end "$P_PID" "${1:-KILL}"; }

p_mosquitto() {
	P_PORT=$(p_port)
	mosquitto_passwd -c -b "$B_DIR/mosquitto.users" $P_USER $P_PASSWORD
	cat >"$B_DIR/mosquitto.conf" <<-END
		user root
		listener $P_PORT 127.0.0.1
		allow_anonymous false
		password_file $B_DIR/mosquitto.users
	END
	p_start mosquitto "$(p_program mosquitto)" -c "$B_DIR/mosquitto.conf"
}

# lastack receive with these options, at P_PORT; its words in B_DIR/lastack.log, its output in B_DIR/lastack.out.
p_receive() { # OPTION... URL
	rm -f "$B_DIR/port"
	b_run "$LASTACK" receive --port-file "$B_DIR/port" "$@" >"$B_DIR/lastack.out" 2>"$B_DIR/lastack.log"
	P_PID=$B_PID
	b_wait_for 10 test -s "$B_DIR/port"
	P_PORT=$(cat "$B_DIR/port")
}

# With JetStream when a directory for its files is named.
p_nats() { # [DIRECTORY]
	P_PORT=$(p_port)
	p_start nats "$(p_program nats-server)" --addr 127.0.0.1 --port "$P_PORT" \
		--user $P_USER --pass $P_PASSWORD ${1:+-js -sd "$1"}
}

p_haproxy() {
	P_PORT=$(p_port)
	cat >"$B_DIR/haproxy.cfg" <<-END
		defaults
		    mode http
		    timeout client 30s
		    timeout server 30s
		    timeout connect 5s
		userlist known
		    user $P_USER insecure-password $P_PASSWORD
		frontend refused
		    bind 127.0.0.1:$P_PORT
		    http-request auth realm test unless { http_auth(known) }
		    http-request return status 200
	END
	p_start haproxy "$(p_program haproxy)" -db -f "$B_DIR/haproxy.cfg"
}

# It refuses for the size of what comes: 413; lingering_close is on by default.
p_nginx() {
	P_PORT=$(p_port)
	cat >"$B_DIR/nginx.conf" <<-END
		daemon off;
		master_process off;
		pid $B_DIR/nginx.pid;
		error_log stderr;
		events { }
		http {
		    access_log off;
		    client_body_temp_path $B_DIR/nginx.body;
		    server {
		        listen 127.0.0.1:$P_PORT;
		        client_max_body_size 1k;
		        root $B_DIR;
		    }
		}
	END
	p_start nginx "$(p_program nginx)" -p "$B_DIR" -e stderr -c "$B_DIR/nginx.conf"
}

# Two rsyslogds: bytes into P_PORT are lines, which go by RELP to the second and into B_DIR/rsyslog.out.
#
#	memory    queues in memory
#	durable   what the sender has taken is in a queue on disk, which is synced for each record, since rsyslog
#	          knows no other unit; the receiver (Direct: whoever received it writes it) answers when its file
#	          is synced
#	lenient   the disk queue writes down where it stands every 1,000 records, unsynced; the receiver
#	          answers when the record is in memory and syncs its file once a batch
p_rsyslog() { # memory|durable|lenient
	local sender='queue.type="LinkedList" queue.size="200000"' file='' relp
	local receiver='queue.type="LinkedList" queue.size="200000"'
	[ "$1" = memory ] || file='sync="on" flushOnTXEnd="on"'
	case $1 in
	durable)
		sender='queue.type="Disk" queue.filename="spool" queue.syncQueueFiles="on" queue.checkpointInterval="1"'
		receiver='queue.type="Direct"'
		;;
	lenient) sender='queue.type="Disk" queue.filename="spool" queue.checkpointInterval="1000"' ;;
	esac
	rm -rf "$B_DIR/rsyslog" "$B_DIR/rsyslog.out"
	mkdir -p "$B_DIR/rsyslog/sender" "$B_DIR/rsyslog/receiver"
	relp=$(p_port)
	cat >"$B_DIR/rsyslog/receiver.conf" <<-END
		global(workDirectory="$B_DIR/rsyslog/receiver" maxMessageSize="8k")
		module(load="imrelp")
		template(name="line" type="string" string="%rawmsg%\n")
		ruleset(name="in" $receiver) {
		    action(type="omfile" file="$B_DIR/rsyslog.out" template="line" $file)
		}
		input(type="imrelp" address="127.0.0.1" port="$relp" ruleset="in")
	END
	P_PORT=$relp
	p_start rsyslog-receiver "$(p_program rsyslogd)" -n -f "$B_DIR/rsyslog/receiver.conf" \
		-i "$B_DIR/rsyslog/receiver.pid"
	P_RELP_PID=$P_PID
	P_PORT=$(p_port)
	cat >"$B_DIR/rsyslog/sender.conf" <<-END
		global(workDirectory="$B_DIR/rsyslog/sender" maxMessageSize="8k")
		module(load="imptcp")
		module(load="omrelp")
		template(name="record" type="string" string="%rawmsg%")
		ruleset(name="out" $sender queue.dequeueBatchSize="1024") {
		    action(type="omrelp" target="127.0.0.1" port="$relp" windowSize="10000"
		        template="record" action.resumeRetryCount="-1")
		}
		input(type="imptcp" address="127.0.0.1" port="$P_PORT" ruleset="out"
		    supportOctetCountedFraming="off")
	END
	p_start rsyslog-sender "$(p_program rsyslogd)" -n -f "$B_DIR/rsyslog/sender.conf" \
		-i "$B_DIR/rsyslog/sender.pid"
}
p_rsyslog_end() {
	b_end "$P_PID" KILL
	b_end "$P_RELP_PID" KILL
}
