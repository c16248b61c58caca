/* SPDX-License-Identifier: MIT */
/*
 * Who is let in.
 *
 *     certificate of a known name, or no users' file   in
 *     no password                                      not authorized
 *     too many failures from this address              refused at once, nothing is hashed
 *     proven before by somebody (the memo)             in
 *     else: asking -> the checker's threads -> in, or rejected
 *
 * Who waits for the checker for longer than handshake_ns is refused unchecked: under an attack from
 * thousands of addresses the checks are for those that are still there.
 *
 * An attempt counts as a failure until it has succeeded, from the moment on in which it goes to
 * the checker; those that wait for it do not count, so that thousands of good senders from one address
 * may come at once. An unknown user takes the same way, with the hash of nobody.
 */
#include "drive/server.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Users by the hundred thousand; this catches a wrong file. */
#define USERS_BYTES_MAX (64u << 20)

/* ---- the users' file ---------------------------------------------------------------------- */

static int read_file(const char *path, char **text, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status = 0;
	struct stat file;
	ssize_t got = 0;
	char *data;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &file) != 0)
		status = -errno;
	else if (!S_ISREG(file.st_mode))
		status = -EISDIR;
	else if (file.st_size > USERS_BYTES_MAX)
		status = -EFBIG;
	data = status == 0 ? malloc((size_t)file.st_size + 1) : NULL;
	if (status == 0 && !data)
		status = -ENOMEM;
	for (size_t used = 0; status == 0 && used < (size_t)file.st_size; used += (size_t)got) {
		got = read(fd, data + used, (size_t)file.st_size - used);
		if (got < 0)
			status = -errno;
		if (got <= 0) {
			file.st_size = (off_t)used;
			break;
		}
	}
	(void)close(fd);
	if (status != 0) {
		free(data);
		return status;
	}
	*text = data;
	*size = (size_t)file.st_size;
	return 0;
}

int lai_server_read_users(struct la_server *server, char **error)
{
	struct lai_users *users = NULL;
	char *text = NULL, *why = NULL;
	size_t size = 0;
	int status = read_file(server->users_path, &text, &size);

	if (status == 0)
		status = lai_users_new(&users, (struct lai_slice){text, size}, &why);
	free(text);
	if (status == 0) {
		lai_users_free(server->users);
		server->users = users;
		return 0;
	}
	(void)lai_error(error, status, "cannot read the users' file %s: %s", server->users_path,
			why		    ? why
			: status == -EISDIR ? "it is not a file"
					    : strerror(-status));
	free(why);
	return status;
}

/* ---- one login ---------------------------------------------------------------------------- */

static void answer(struct la_server *server, struct lai_client *client, enum la_session_end verdict,
		   uint64_t retry_after_ns)
{
	lai_server_listen_to(server, client);
	if (client->session.state == LAI_STOMP_SESSION_CHECKING)
		lai_stomp_session_on_checked(&client->session, verdict, retry_after_ns,
					     lai_net_now(server->net));
	lai_client_sort(server, client);
	lai_server_note(server, client);
}

static bool is_known(const struct la_server *server, const char *name)
{
	bool known = false;

	(void)lai_users_hash(server->users, name, &known);
	return known;
}

/* A certificate that has been verified says who it is, unless another name is claimed. */
static bool has_certificate(struct la_server *server, struct lai_client *client)
{
	struct lai_stomp_session *session = &client->session;
	const char *name = LAI_NET(server, peer_name, client->hands.socket);

	if (!name || name[0] == '\0' || strlen(name) >= sizeof(session->user) ||
	    (session->user[0] != '\0' && strcmp(session->user, name) != 0) ||
	    (server->users && !is_known(server, name)))
		return false;
	(void)snprintf(session->user, sizeof(session->user), "%s", name);
	client->verified = true;
	return true;
}

static bool same_host(const struct lai_address *a, const struct lai_address *b)
{
	struct lai_address one = lai_address_unmap(a), other = lai_address_unmap(b);

	lai_address_set_port(&one, 0);
	lai_address_set_port(&other, 0);
	return lai_address_equal(&one, &other);
}

/* Whether the checker has a password that came from there; it has few. */
static bool is_being_checked(const struct la_server *server, const struct lai_address *address)
{
	const struct lai_list_link *link;

	for (link = lai_list_first(&server->checking); link;
	     link = lai_list_next(&server->checking, link)) {
		const struct lai_client *client = LAI_LIST_OWNER(link, struct lai_client, checking);

		if (same_host(&client->hands.remote, address))
			return true;
	}
	return false;
}

/* Compares the password with what is known, if that may be tried now. true: that is all for now. */
static bool try_memo(struct la_server *server, struct lai_client *client, struct lai_check **check)
{
	struct lai_stomp_session *session = &client->session;
	uint64_t wait_ns =
		lai_guard_try(server->guard, &client->hands.remote, lai_net_now(server->net));
	bool known = false, memorable;
	uint8_t digest[LAI_MEMO_DIGEST_BYTES];
	const char *hash;

	if (wait_ns > 0 && is_being_checked(server, &client->hands.remote)) {
		/* What is being checked counts as a failure, and need not be one. */
		lai_list_add(&server->asking, &client->asking);
		return true;
	}
	if (wait_ns > 0) {
		answer(server, client, LA_SESSION_TOO_MANY_FAILURES, wait_ns);
		return true;
	}
	hash = lai_users_hash(server->users, session->user, &known);
	memorable = lai_memo_digest(server->memo, session->user, session->password, hash, digest);
	if (memorable && lai_memo_has(server->memo, digest)) {
		lai_guard_succeeded(server->guard, &client->hands.remote, lai_net_now(server->net));
		client->verified = true;
		answer(server, client, LA_SESSION_OPEN, 0);
		return true;
	}
	*check = lai_check_new(hash, session->password);
	if (!*check) {
		lai_guard_succeeded(server->guard, &client->hands.remote, lai_net_now(server->net));
		lai_stomp_session_refuse(session, LA_SESSION_NO_MEMORY, "",
					 lai_net_now(server->net));
		lai_client_sort(server, client);
		return true;
	}
	(*check)->known = known;
	(*check)->memorable = memorable;
	(*check)->address = client->hands.remote;
	if (memorable)
		memcpy((*check)->digest, digest, sizeof(digest));
	return false;
}

/* To the checker if it has room, else to those that wait for it. */
static void try_login(struct la_server *server, struct lai_client *client)
{
	struct lai_check *check;

	if (try_memo(server, client, &check))
		return;
	if (!lai_checker_has_room(server->checker)) {
		/* Not tried yet after all. */
		lai_guard_succeeded(server->guard, &client->hands.remote, lai_net_now(server->net));
		lai_check_free(check);
		lai_list_add(&server->asking, &client->asking);
		return;
	}
	check->owner = client;
	client->check = check;
	lai_list_add(&server->checking, &client->checking);
	lai_checker_submit(server->checker, check);
	if (server->no_threads)
		lai_server_take_answers(server);
}

void lai_server_ask(struct la_server *server, struct lai_client *client)
{
	if (client->check || lai_list_has(&client->asking))
		return;
	if (has_certificate(server, client) || !server->users)
		answer(server, client, LA_SESSION_OPEN, 0);
	else if (client->session.user[0] == '\0' || client->session.password[0] == '\0')
		answer(server, client, LA_SESSION_NOT_AUTHORIZED, 0);
	else
		try_login(server, client);
}

void lai_server_forget(struct la_server *server, struct lai_client *client)
{
	if (client->check)
		client->check->owner = NULL;
	client->check = NULL;
	lai_list_remove(&server->checking, &client->checking);
}

static void take_answer(struct la_server *server, struct lai_check *check)
{
	struct lai_client *client = check->owner;
	bool right = check->right && check->known;

	if (right && check->memorable)
		lai_memo_add(server->memo, check->digest);
	if (right)
		lai_guard_succeeded(server->guard, &check->address, lai_net_now(server->net));
	if (client) {
		lai_server_forget(server, client);
		client->verified = right;
		answer(server, client, right ? LA_SESSION_OPEN : LA_SESSION_LOGIN_REJECTED, 0);
	}
	lai_check_free(check);
}

/* One that has waited too long has most likely gone, and those behind it have not yet. */
static void try_waiting(struct la_server *server, struct lai_client *client)
{
	uint64_t now_ns = lai_net_now(server->net);

	if (lai_time_since(client->session.began_ns, now_ns) < server->config.handshake_ns) {
		try_login(server, client);
		return;
	}
	lai_stomp_session_refuse(&client->session, LA_SESSION_HANDSHAKE_TIMEOUT,
				 "too many logins wait for their check", now_ns);
	lai_client_sort(server, client);
	lai_server_note(server, client);
}

void lai_server_take_answers(struct la_server *server)
{
	struct lai_check *check;

	if (!server->checker)
		return;
	while ((check = lai_checker_take(server->checker)))
		take_answer(server, check);
	/* Each of them once: it may have to wait on. */
	for (size_t count = server->asking.count;
	     count > 0 && lai_checker_has_room(server->checker); count--) {
		struct lai_client *client =
			LAI_LIST_OWNER(lai_list_first(&server->asking), struct lai_client, asking);

		lai_list_remove(&server->asking, &client->asking);
		if (client->session.state == LAI_STOMP_SESSION_CHECKING)
			try_waiting(server, client);
	}
}
