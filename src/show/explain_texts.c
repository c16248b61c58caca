/* SPDX-License-Identifier: MIT */
/* explain_texts.c - the texts of doctor --explain, one entry per verdict, in plain words. */
#include "show/explain.h"

const struct lai_explanation lai_explanations[LAI_VERDICT_COUNT] = {
	[LAI_VERDICT_EOF_IGNORED] =
		{
			.means =
				"The peer sent its FIN, the program read it (recv() returned 0), and has neither "
				"closed nor shut down its own side. CLOSE_WAIT has no timer: the socket stays "
				"until the descriptor is closed or the process ends.",
			.arises =
				"close() is missing on one path: an error path, a reference count that never "
				"reaches 0, a job whose owner gave up, an HTTP response whose body nobody closes. "
				"Or 0 bytes are taken for \"no data yet\".",
			.known_by =
				"A FIN counts as one unread byte until it is read: 0 unread bytes in "
				"CLOSE_WAIT have no other reading. (MSG_PEEK leaves it at 1.) Or an "
				"edge-triggered epoll told it once and the loop rests again. Older than a "
				"minute, or growing between two looks, it is certain.",
			.mend = "C: when recv() returns 0, close(fd), on every path. Go: defer "
				"resp.Body.Close() right after the check of err; defer conn.Close(). Java: "
				"try-with-resources, also for the response. Python: a with block, or "
				"response.close(). Node: with allowHalfOpen, socket.end() on 'end'.",
			.remedy =
				"lastack close --how fin ends the connection: port pair and buffers are freed, "
				"the peer gets its FIN, an event loop is woken. The descriptor stays in use until "
				"the program closes it; if the table is full, restart it.",
		},
	[LAI_VERDICT_NEVER_ACCEPTED] =
		{
			.means =
				"The peer connected, perhaps sent something and closed again, but the program "
				"that listens has not called accept(). No process owns such a socket: other "
				"tools print \"-\" for it.",
			.arises =
				"All workers are busy or dead-locked; the accepting thread ended, or stopped at "
				"EMFILE; a parent opened the listener and nobody serves it; a balancer's health "
				"checks rot in the queue of a hung server. A full queue makes new clients time "
				"out.",
			.known_by =
				"A socket without an inode for more than two seconds, and a listener on its "
				"port. Queue length and backlog are the kernel's; the doctor names the "
				"listener's process and what its threads wait for.",
			.mend = "Accept in a thread that never does work itself, until EAGAIN; on EMFILE shed "
				"load, do not stop accepting. Bound what workers may wait. Node, asyncio: no "
				"blocking call in the event loop. Java: no handler on the acceptor. Go: an error "
				"of Accept must not end the loop silently.",
			.remedy =
				"lastack close --how rst ends them (fin needs a descriptor, and there is none). "
				"The places in the queue are freed only when the program calls accept(). If it "
				"never will, restart it: closing the listener resets all that wait.",
		},
	[LAI_VERDICT_OWNER_STUCK] =
		{
			.means =
				"Data or a FIN waits to be read, and the thread that should read it is blocked in "
				"something else (a lock, another socket, a file, a child), is stopped, or spins.",
			.arises =
				"Two locks taken in opposite order; a database call without a time-out in an "
				"event handler; a log pipe that nobody reads; a hung NFS mount; an endless loop "
				"in a parser; a debugger or SIGSTOP.",
			.known_by =
				"No thread of the owner reads this socket, and none waits in the event loop "
				"that should watch it; what each does instead is in /proc/PID/task/TID/syscall. "
				"A spinning thread's processor time rises between two looks.",
			.mend = "See where it is: gdb -p PID -batch -ex 'thread apply all bt'; jstack PID; py-spy "
				"dump --pid PID; Go: SIGQUIT prints all goroutines and ends it. Then: a time-out on "
				"everything that can block, and nothing that blocks in an event loop (Node: no "
				"*Sync; Netty: another executor; asyncio: to_thread; Go: a context with a "
				"deadline).",
			.remedy =
				"lastack close frees the connections, not the thread: if it is blocked in "
				"this very socket it returns, a dead-lock ends only by a restart. Unread data "
				"stays readable after --how fin.",
		},
	[LAI_VERDICT_NOT_POLLED] =
		{
			.means =
				"The program's event loop lives, but does not look at this socket: it is in no "
				"epoll set, or there without EPOLLIN and EPOLLRDHUP, or EPOLLONESHOT has fired and "
				"was not armed again. The FIN cannot be noticed.",
			.arises =
				"Reading was paused for back-pressure and never resumed (Node pause(), Netty "
				"autoRead, a proxy that disables reads); only writing was of interest; an error "
				"path forgot to arm ONESHOT again, or took the descriptor out of the set and "
				"kept it.",
			.known_by =
				"The epoll sets of the holder (/proc/PID/fdinfo) and what its threads wait "
				"for: one rests in epoll_wait or poll, and not for input of this socket. With "
				"an io_uring, whose requests do not show, that is only possible.",
			.mend = "Leave EPOLLRDHUP in the mask while reads are paused, and close on it. C: "
				"EPOLL_CTL_MOD after each ONESHOT event, on every path. Java NIO: never "
				"interestOps 0 without a timer. Node: each pause() its resume() or destroy(), and "
				"setTimeout(). In any language: an idle timer per connection.",
			.remedy =
				"lastack close --how fin ends the connection; a set that has it armed in "
				"any way gets EPOLLHUP, and the program's own clean-up closes it. Out of all "
				"sets, or spent: the descriptor stays until the program closes it.",
		},
	[LAI_VERDICT_UNREAD_BACKLOG] =
		{
			.means =
				"The program has read from this connection and then stopped. Data is left in "
				"front of the peer's FIN, so EOF is never reached. A close() now would destroy it "
				"and answer with RST.",
			.arises =
				"A parser waits for the rest of a record that will never come; a fixed buffer is "
				"full; the other side of a proxy takes nothing; the job that read was cancelled "
				"and its socket forgotten.",
			.known_by =
				"In CLOSE_WAIT, more than a TLS farewell is unread beside the FIN, though the "
				"program has read from it before, is told of it or is at rest, and is not "
				"stuck. Who still reads, slowly, is not accused.",
			.mend = "Take EOF for the end of whatever was begun, and give it up. Read on (to a bound) "
				"even if nobody wants the data, and poll for EPOLLRDHUP. A deadline for each "
				"record once begun: Go SetReadDeadline, Java setSoTimeout, Python settimeout, Node "
				"setTimeout. A proxy closes both sides if one takes nothing for long.",
			.remedy =
				"lastack close --how fin ends the connection with a FIN; what is unread stays "
				"readable, and the program may still read it to the end. The descriptor stays "
				"until it closes.",
		},
	[LAI_VERDICT_HALF_CLOSE_NOT_FORWARDED] =
		{
			.means =
				"A proxy holds two connections that belong together. The peer of one leg has "
				"closed; the proxy has not passed this on, so the other leg is open, and both "
				"stay.",
			.arises =
				"One copying loop per direction, and the connection closed only when both have "
				"ended; one of them blocked in a write; a tunnel that knows closed but not "
				"half-closed. User-space proxies of container hosts and SSH forwards are the "
				"classics.",
			.known_by =
				"One process holds both legs: this one in CLOSE_WAIT, the other open and at "
				"rest. What was read here was written there to the byte, or a thread still "
				"waits for input on the other leg.",
			.mend = "When one direction ends: shutdown(other, SHUT_WR), and an idle time-out for what "
				"remains. Go: after io.Copy, CloseWrite() on the destination, then deadlines. "
				"Node: pipeline() instead of pipe(). asyncio: write_eof(). Java: "
				"shutdownOutput(). For TLS the same: close_notify, then a deadline.",
			.remedy =
				"lastack close --how fin on the closed leg wakes the proxy, which mostly closes "
				"both. If not, end the other leg as well. Descriptors stay until the proxy closes "
				"them.",
		},
	[LAI_VERDICT_INHERITED_FD] =
		{
			.means =
				"The connection has ended or is half-closed, and more than one process holds it. "
				"As long as one copy is open the kernel sends no FIN, even if the program that uses "
				"it has closed: the peer waits.",
			.arises =
				"fork() and exec() of a daemon, a hook or a shell with descriptors that are not "
				"close-on-exec; workers forked after the connection was made; a descriptor passed "
				"over a UNIX socket while the sender keeps its own.",
			.known_by =
				"The descriptor tables of all processes, their parents and start times: who "
				"opened it and who only has it; which of them reads or watches it. A live "
				"connection that several processes share on purpose is no finding.",
			.mend = "C: SOCK_CLOEXEC, accept4(..., SOCK_CLOEXEC), close_range(3, ~0U, "
				"CLOSE_RANGE_CLOEXEC) before exec. Python: close_fds=True (the default), "
				"multiprocessing with spawn, connect after the fork. Go, Java, Node set it by "
				"themselves, unless the descriptor is handed on (ExtraFiles, stdio). shutdown() "
				"ends it for all holders, close() does not.",
			.remedy =
				"lastack close --how fin ends the connection for all holders at once. Each "
				"keeps its descriptor until it closes it; end the process that only inherited it.",
		},
	[LAI_VERDICT_GHOST_FD] =
		{
			.means =
				"The descriptor is open, its connection is gone: reset, timed out, or closed on "
				"both sides. It costs a descriptor and some 3 kB of the kernel's memory; ss and "
				"netstat do not list it.",
			.arises =
				"shutdown() without close(); an error handler that logs ECONNRESET and returns; "
				"a socket taken out of the event loop after an error and kept in a list. Also "
				"what lastack close leaves: it frees no descriptor.",
			.known_by =
				"A TCP socket in a descriptor table that is in none of the kernel's tables, "
				"and was connected once. Telling that from a socket that never connected needs "
				"a look through a copy of the descriptor: root, or the same user. Seen twice it "
				"is certain.",
			.mend = "After any error of read or write, close, once. C: shutdown() frees no "
				"descriptor; ECONNRESET, EPIPE and ETIMEDOUT want close(fd) like EOF. Go: Close() "
				"after every error of Read and Write. Java: close() in finally. Python: with "
				"socket.socket(). Node: destroy() on 'error' where autoDestroy is off.",
			.remedy =
				"None from outside: there is no connection to end, and only the program can "
				"free its descriptor. Until it is restarted, a higher limit gains time: prlimit "
				"--pid PID --nofile=N.",
		},
	[LAI_VERDICT_IO_URING_HELD] =
		{
			.means =
				"No descriptor refers to the socket any more, but an io_uring does: as a "
				"registered file, or by a request that is pending. So close() has sent no FIN.",
			.arises =
				"close(fd) while a receive, accept or poll was pending; a multishot receive that "
				"was never cancelled; a slot of the table of registered files that was not "
				"emptied.",
			.known_by =
				"The socket has an inode and no holder in any table. A ring's fdinfo lists "
				"it; or a ring has requests pending and nothing else explains the socket, "
				"which is then only possible.",
			.mend = "Before close(): IORING_OP_ASYNC_CANCEL with IORING_ASYNC_CANCEL_FD and _ALL, and "
				"wait for its completion; or shutdown(fd, SHUT_RDWR), which completes what is "
				"pending. Registered: put -1 in the slot (io_uring_register_files_update). A "
				"linked time-out bounds every receive.",
			.remedy =
				"lastack close --how rst works without a descriptor: the connection ends, the "
				"pending request completes with an error. A registered slot stays taken until "
				"the program empties it.",
		},
	[LAI_VERDICT_FD_IN_FLIGHT] =
		{
			.means =
				"The socket was sent to another process over a UNIX socket (SCM_RIGHTS), the "
				"sender closed its own copy, and nobody has received the message: the queue holds "
				"the only reference.",
			.arises =
				"The worker that should receive hangs or has died, while its end of the UNIX "
				"socket is still held by a parent or a sibling; connections handed to an old "
				"process during a reload.",
			.known_by =
				"The socket has an inode and no holder in any table, and a UNIX socket has "
				"files in flight (scm_fds in /proc/PID/fdinfo, Linux 5.6). Which sockets are "
				"in which message the kernel does not tell.",
			.mend = "After fork() each side closes the end that is not its own: then the death of the "
				"receiver makes the kernel drop its queue and close what is in it. Send with "
				"MSG_DONTWAIT and take EAGAIN for a dead worker; wait for an answer with a "
				"deadline before closing the copy.",
			.remedy =
				"lastack close --how rst ends the connection (fin needs a descriptor). The "
				"message stays queued, with a dead socket in it, until it is received or the UNIX "
				"socket is closed: restart the receiver.",
		},
	[LAI_VERDICT_WRITES_AFTER_FIN] =
		{
			.means =
				"The peer has closed, and the program goes on sending. If the peer only "
				"half-closed it still reads, and all is well; otherwise it answers RST, or takes "
				"nothing until the send queue is full, and what was written is lost.",
			.arises =
				"A writer that never reads and so never sees EOF: log shippers, metrics, event "
				"streams; a test for life that only peeks.",
			.known_by =
				"CLOSE_WAIT with bytes that the peer has not taken for five seconds; or more "
				"written between two looks, long after the FIN (only --watch sees that).",
			.mend = "Before each write see whether the peer has closed: poll() for EPOLLRDHUP, or a "
				"non-blocking recv(). A FIN is the end unless the protocol has half-close. What "
				"was written before is safe only if the other program said so: acknowledge in "
				"the protocol. lastack send does the first two.",
			.remedy =
				"lastack close --how rst: what is queued is dropped, the next write fails, which "
				"the program sees. A fin would wait behind what the peer does not take. The "
				"descriptor stays until the program closes it.",
		},
	[LAI_VERDICT_FIN_WAIT2_HELD] =
		{
			.means =
				"The program closed its sending half (shutdown), the peer acknowledged but has not "
				"closed, and the program still holds the descriptor. tcp_fin_timeout is for "
				"sockets that nobody holds: no timer ends this one.",
			.arises =
				"Waiting for the peer's EOF without a deadline. The peer leaks (it has the "
				"CLOSE_WAIT: if it is on this host the doctor names it), has gone away without a "
				"word, or a firewall forgot the connection.",
			.known_by =
				"FIN_WAIT2 with a holder, no timer running, for more than three seconds if "
				"nobody reads or watches it, a minute otherwise. Data that still comes is "
				"half-close at work and no finding.",
			.mend = "After shutdown(SHUT_WR) read with a deadline, then close(): the kernel then gives "
				"the peer 60 s. C: poll() or SO_RCVTIMEO. Go: CloseWrite(), SetReadDeadline. Java: "
				"setSoTimeout after shutdownOutput(). Python: settimeout(). Node: end(), then "
				"setTimeout(ms, () => socket.destroy()). Keepalive finds a peer that is dead.",
			.remedy =
				"If the peer is on this host, end its CLOSE_WAIT: both ends go. Otherwise "
				"lastack close --how rst. A fin is not enough by itself: ours was sent long ago; it "
				"only wakes the program.",
		},
	[LAI_VERDICT_POISONED_TUPLE] =
		{
			.means =
				"A CLOSE_WAIT whose peer was on this host and is gone: the peer's kernel end gave "
				"up after a minute. Its port is free again there, but not here: a connect() that "
				"draws this very port meets the old socket.",
			.arises =
				"Any leak of CLOSE_WAIT by a local server whose clients close properly: a sidecar, "
				"a database or a proxy on the same host. The leak itself has its own verdict.",
			.known_by =
				"CLOSE_WAIT with a local peer address and no socket of the swapped four-tuple "
				"in any namespace that was looked at. The chance that a connect() draws such a "
				"port is their number divided by that of the ephemeral ports.",
			.mend = "Mend the leak. The client cannot help itself but by a connect time-out and "
				"another try, which draws another port.",
			.remedy =
				"lastack close on the CLOSE_WAIT frees the tuple: nobody is there to take "
				"the FIN, so RST comes back. Left alone, a SYN gets a challenge ACK, the client answers RST, which ends the old "
				"socket, and a second SYN succeeds: some 10 ms on Linux 6.18. Where a firewall "
				"drops one of the three, connect() hangs and ends with ETIMEDOUT.",
		},
	[LAI_VERDICT_PORTS_EXHAUSTING] =
		{
			.means =
				"From one source address to one destination and port nearly all ephemeral ports "
				"are in use, mostly by TIME_WAIT of our own closing. When none is left, connect() "
				"fails with EADDRNOTAVAIL; long before that it becomes slow.",
			.arises =
				"A new connection per request, closed by the client: 28,232 ports and 60 s of "
				"TIME_WAIT allow 470 a second. HTTP clients that keep too few idle connections "
				"or do not read bodies to their end; retry loops; bind() before connect().",
			.known_by =
				"Sockets per (source, destination, port) against ip_local_port_range without "
				"reserved ports; between two looks, the rate and the time that is left.",
			.mend = "Keep connections. Go: MaxIdleConnsPerHost (default 2), read the body, then "
				"close it. Python: one requests.Session. Java: a pooled client. Node: an Agent "
				"with keepAlive. C: IP_BIND_ADDRESS_NO_PORT before bind() to an address. Let the "
				"server close first where you can.",
			.remedy =
				"sysctl net.ipv4.tcp_tw_reuse=1 (outgoing only, needs timestamps), a wider "
				"net.ipv4.ip_local_port_range, a second source or destination address. Closing "
				"TIME_WAIT sockets gains ports, and the risk that they guard against.",
		},
	[LAI_VERDICT_DATA_DESTROYED] =
		{
			.means =
				"A close threw bytes away: data that had come and was not read (the peer gets "
				"RST, and may lose what we had sent as well), or data that was not yet sent "
				"(SO_LINGER with 0).",
			.arises =
				"close() with a request or a TLS close_notify still unread; a server that rejects "
				"an upload without reading it; SO_LINGER 0 \"against TIME_WAIT\"; a listener "
				"closed while connections wait in its queue, which no counter shows.",
			.known_by =
				"Only by watching closes as they happen: after it nothing is left to see, so "
				"one look, or two, cannot find it, and doctor does not report it.",
			.mend = "Close in order: send all, shutdown(SHUT_WR), read to the peer's EOF with a "
				"deadline, close(). Go: CloseWrite(), then io.Copy(io.Discard, conn) with a "
				"deadline. Java: shutdownOutput(), read to -1. Python: shutdown(), recv() to b''. "
				"Node: end(), resume(). No SO_LINGER 0 without a reason.",
			.remedy =
				"None: what is destroyed is gone. lastack send and receive close in this order, "
				"and say what was lost.",
		},
	[LAI_VERDICT_IDLE_POOL] =
		{
			.means =
				"Idle connections of a client's pool. The server has closed them; the client will "
				"notice at the next use, and not before. Not a leak as long as their number is "
				"bounded by that of the pool.",
			.arises =
				"HTTP clients and database pools that look at a connection only when they want "
				"one (libcurl, OkHttp, requests, many JDBC pools), with a keep-alive that is "
				"longer than the server's.",
			.known_by =
				"The program connected and was not accepted; nobody looks at the socket; "
				"nothing is unread but the FIN, or a farewell as of TLS or PostgreSQL; at most "
				"32 of a kind, and not becoming more. One look cannot tell it from a slow "
				"leak: use --watch.",
			.mend = "Nothing must be done. Tidier: idle time-out of the pool below the server's (Go "
				"IdleConnTimeout, Apache HttpClient evictIdleConnections, OkHttp ConnectionPool, "
				"Node Agent timeout, HikariCP maxLifetime), which also avoids the race of a "
				"request with the server's FIN.",
			.remedy =
				"None is needed. lastack close --how fin does no harm: the pool opens a new one.",
		},
	[LAI_VERDICT_LONG_TIMEOUT] =
		{
			.means =
				"Half-closed connections that all end after a while: the program has a long "
				"time-out, or drains on purpose, and keeps to it.",
			.arises =
				"A proxy with a tunnel time-out of hours; an old worker that serves its last "
				"clients after a reload; a server that sweeps its idle connections now and then.",
			.known_by =
				"Two looks only (--watch): others of the same group were there before and have "
				"gone. They lived so long at most; what is younger is on the same way, what is "
				"older is judged otherwise. And they have not become more.",
			.mend = "If there are too many, shorten the time-out (HAProxy timeout tunnel, "
				"client-fin, server-fin; nginx proxy_timeout; Envoy idle_timeout), or bound the "
				"life of old workers (HAProxy hard-stop-after, nginx worker_shutdown_timeout).",
			.remedy =
				"None is needed. lastack close --min-age TIME --how fin ends those that are "
				"older than you like.",
		},
	[LAI_VERDICT_TIME_WAIT_HARMLESS] =
		{
			.means =
				"TIME_WAIT is how TCP ends properly at the side that closes first: for 60 s it "
				"catches late segments. It costs some 250 bytes, no descriptor, no time. On the "
				"side that accepts it takes no port, however many there are.",
			.arises =
				"A server that closes first, as HTTP servers do after the answer or an idle "
				"time.",
			.known_by =
				"TIME_WAIT sockets whose local port is that of a listener; or outgoing ones, "
				"far from the number of ephemeral ports to one destination, and below "
				"net.ipv4.tcp_max_tw_buckets.",
			.mend = "Nothing. Do not \"tune\" it away: SO_LINGER 0 destroys data, a small "
				"tcp_max_tw_buckets removes the protection, tcp_fin_timeout has nothing to do "
				"with it (it bounds orphans in FIN_WAIT2), tcp_tw_recycle broke NAT and is gone "
				"since Linux 4.12. Outgoing, keep connections open instead.",
			.remedy = "None is needed: each ends by itself within 60 s.",
		},
};
