/* SPDX-License-Identifier: MIT */
/* Records on their way into the store, and the receipts that come back from it. */
#include "drive/server.h"

#include <errno.h>
#include <string.h>

/* Without threads a full disk is tried again, and what is written made durable, this often; with them
   it is the store's business. */
#define RETRY_NS (1 * LAI_S)

/* ---- who has sent it ---------------------------------------------------------------------- */

/* A name as the part before the first '/': that character in it is written as %2F, and % as %25. */
static bool append_name(struct lai_buffer *buffer, const char *name)
{
	for (; *name; name++) {
		bool plain = *name != '/' && *name != '%';
		const char *text = plain ? name : *name == '/' ? "%2F" : "%25";

		if (!lai_buffer_append(buffer, text, plain ? 1 : strlen(text)))
			return false;
	}
	return lai_buffer_append(buffer, "/", 1);
}

/*
 * By which sender a record is known. Where users are checked it is USER/SENDER, so that nobody can
 * make another's records look like repeats by taking its sender's id; who is not known to be anybody
 * has an empty name. false: out of memory.
 */
static bool name_sender(struct la_server *server, const struct lai_stomp_record *record,
			struct lai_slice *sender)
{
	const struct lai_client *client = server->speaking;
	struct lai_buffer *buffer = &server->sender;

	*sender = record->sender;
	if (!server->checks)
		return true;
	lai_buffer_consume(buffer, lai_buffer_used(buffer));
	if (!append_name(buffer, client->verified ? client->session.user : "") ||
	    !lai_buffer_append(buffer, record->sender.data, record->sender.size))
		return false;
	*sender = (struct lai_slice){lai_buffer_data(buffer), lai_buffer_used(buffer)};
	return true;
}

/* ---- on its way --------------------------------------------------------------------------- */

static int put(struct la_server *server, const struct lai_stomp_record *record,
	       struct lai_slice sender, uint64_t *ticket)
{
	const struct lai_store_record stored = {
		.sender = sender,
		.seq = record->seq,
		.destination = record->destination,
		.headers = record->headers,
		.received_us = server->received_us,
		.body = record->body,
	};

	return lai_store_put(server->store, &stored, ticket);
}

int lai_server_on_record(void *arg, const struct lai_stomp_record *record, uint64_t *ticket)
{
	struct la_server *server = arg;
	struct lai_slice sender;
	uint64_t its_ticket;
	int status;

	status = name_sender(server, record, &sender) ? put(server, record, sender, &its_ticket)
						      : -ENOMEM;
	if (status != 0)
		return status;
	server->unsubmitted = true;
	server->ticket = its_ticket;
	*ticket = its_ticket;
	return 0;
}

/* What the store says is said once for each change. */
static void check_trouble(struct la_server *server)
{
	const char *trouble = lai_store_trouble(server->store);

	if ((trouble != NULL) == server->in_trouble)
		return;
	server->in_trouble = trouble != NULL;
	lai_server_say(server, LA_SERVER_STORE, NULL,
		       trouble ? trouble : "the store can write again: receipts go on");
}

static void retry(struct la_server *server)
{
	uint64_t now_ns = lai_net_now(server->net);

	if (now_ns < server->retry_ns)
		return;
	server->retry_ns = lai_time_after(now_ns, RETRY_NS);
	lai_store_retry(server->store);
}

static void confirm(struct la_server *server)
{
	uint64_t stored = lai_store_stored(server->store);
	struct lai_list_link *link = lai_list_first(&server->unconfirmed), *next;

	if (stored == server->stored)
		return;
	server->stored = stored;
	for (; link; link = next) {
		struct lai_client *client = LAI_LIST_OWNER(link, struct lai_client, unconfirmed);

		next = lai_list_next(&server->unconfirmed, link);
		lai_server_listen_to(server, client);
		lai_stomp_session_on_stored(&client->session, stored, lai_net_now(server->net));
		lai_client_sort(server, client);
		lai_server_note(server, client);
	}
}

/* Those that wait for room, in the order in which they began to, as long as there is some. */
static void resume(struct la_server *server)
{
	size_t count = server->paused.count;

	while (count-- > 0 &&
	       lai_store_has_room(server->store, server->session_config.record_bytes_max)) {
		struct lai_client *client =
			LAI_LIST_OWNER(lai_list_first(&server->paused), struct lai_client, paused);

		lai_list_remove(&server->paused, &client->paused);
		lai_server_listen_to(server, client);
		lai_stomp_session_resume(&client->session, lai_net_now(server->net));
		lai_client_sort(server, client);
		/* Its socket may have nothing to say: what was read before may wait in TLS. */
		lai_list_add(&server->hungry, &client->hungry);
		lai_server_note(server, client);
	}
}

void lai_server_store(struct la_server *server)
{
	retry(server);
	if (server->unsubmitted)
		server->unsubmitted = !lai_store_submit(server->store);
	confirm(server);
	resume(server);
	check_trouble(server);
}

bool lai_server_all_stored(const struct la_server *server)
{
	return lai_store_stored(server->store) >= server->ticket;
}
