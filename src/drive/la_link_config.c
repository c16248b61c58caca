/* SPDX-License-Identifier: MIT */
/* A link's settings: defaults, what fits together and what does not, copies of all texts. */
#include "drive/la_link_inside.h"

#include "base/error.h"
#include "base/sender_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BUFFER_DEFAULT (8u << 20)
#define RECORD_DEFAULT (1u << 20)
/* The address space of one process is the bound; this one catches typing errors. */
#define BUFFER_MAX (1ull << 36)

void la_link_config_default(struct la_link_config *config)
{
	*config = (struct la_link_config){
		.proof = LA_PROOF_ACKED,
		.buffer_bytes = BUFFER_DEFAULT,
		.record_bytes_max = RECORD_DEFAULT,
		.resolve_ns = 10 * LAI_S,
		.connect_ns = 10 * LAI_S,
		.dead_ns = 20 * LAI_S,
		.stall_ns = 30 * LAI_S,
		.read_ns = 30 * LAI_S,
		.stable_ns = 10 * LAI_S,
		.backoff_min_ns = 100 * LAI_MS,
		.backoff_max_ns = 60 * LAI_S,
		.give_up_ns = LA_NEVER,
		.retries_max = UINT32_MAX,
		.tos = -1,
		.stomp = {.receipt_every = 64,
			  .receipt_within_ns = 20 * LAI_MS,
			  .window_records = 65536,
			  .heartbeat_ns = 10 * LAI_S,
			  .login_ns = 10 * LAI_S,
			  .receipt_ns = 60 * LAI_S,
			  .rejected_min_ns = 5 * LAI_S,
			  .rejected_max_ns = 300 * LAI_S},
		.spool = {.quota_bytes = 1u << 30},
	};
}

/* ---- making one ------------------------------------------------------------------------- */

/* Zero means "not set" for these; for the others it is a value. */
static void fill_in_defaults(struct la_link_config *config)
{
	struct la_link_config defaults;

	la_link_config_default(&defaults);
#define FILL(field) config->field = config->field ? config->field : defaults.field
	FILL(buffer_bytes);
	FILL(record_bytes_max);
	FILL(resolve_ns);
	FILL(connect_ns);
	FILL(dead_ns);
	FILL(stall_ns);
	FILL(read_ns);
	FILL(give_up_ns);
	FILL(stomp.receipt_every);
	FILL(stomp.receipt_within_ns);
	FILL(stomp.window_records);
	FILL(stomp.heartbeat_ns);
	FILL(stomp.login_ns);
	FILL(stomp.receipt_ns);
	FILL(stomp.rejected_min_ns);
	FILL(stomp.rejected_max_ns);
	FILL(spool.quota_bytes);
#undef FILL
	if (config->seed == 0 &&
	    getrandom(&config->seed, sizeof(config->seed), GRND_NONBLOCK) != sizeof(config->seed))
		config->seed = 1; /* no entropy yet: jitter is the only thing that suffers */
}

static int check(const struct la_link_config *config, char **error)
{
	if (config->proof >= LA_PROOF_COUNT || config->close_policy >= LA_CLOSE_COUNT ||
	    config->on_full >= LA_FULL_COUNT || config->on_peer_fin >= LA_PEER_FIN_COUNT ||
	    config->on_stall >= LA_STALL_COUNT)
		return lai_error(error, -EINVAL, "a policy has a value that does not exist");
	if (config->buffer_bytes > BUFFER_MAX)
		return lai_error(error, -EINVAL, "the buffer is larger than 64 GiB");
	if (config->record_bytes_max > config->buffer_bytes)
		return lai_error(error, -EINVAL,
				 "the buffer is smaller than the largest record that it must hold");
	if (config->proof == LA_PROOF_CONSUMED && config->close_policy != LA_CLOSE_GRACEFUL)
		return lai_error(
			error, -EINVAL,
			"only a graceful close can prove that the peer consumed everything");
	if (config->backoff_min_ns > config->backoff_max_ns)
		return lai_error(error, -EINVAL,
				 "the shortest back-off is longer than the longest");
	if (config->dead_ns < LAI_S)
		return lai_error(error, -EINVAL,
				 "a peer cannot be called dead in less than 1 s: "
				 "the kernel retransmits no faster");
	if (config->tos > 255)
		return lai_error(error, -EINVAL, "the type of service is one byte: 0 to 255");
	return 0;
}

static int parse_endpoints(struct la_link *link, const struct la_link_config *config, char **error)
{
	if (config->url_count == 0)
		return lai_error(error, -EINVAL, "no server: at least one URL is needed");
	link->endpoints = calloc(config->url_count, sizeof(*link->endpoints));
	if (!link->endpoints)
		return -ENOMEM;
	link->endpoint_count = config->url_count;
	for (size_t i = 0; i < config->url_count; i++) {
		if (lai_endpoint_parse(&link->endpoints[i], config->urls[i], false, error) != 0)
			return -EINVAL;
		if (link->endpoints[i].wire != link->endpoints[0].wire ||
		    link->endpoints[i].tls != link->endpoints[0].tls)
			return lai_error(error, -EINVAL,
					 "the servers of one list must all have the same scheme");
	}
	return 0;
}

/* A bound socket reaches only its own family. */
static bool reachable(const struct la_link *link, int family)
{
	for (size_t i = 0; i < link->endpoint_count; i++)
		if (family != AF_UNSPEC && link->endpoints[i].address.length &&
		    lai_address_family(&link->endpoints[i].address) != family)
			return false;
	return true;
}

static int socket_options(struct la_link *link, const struct la_link_config *config,
			  struct lai_socket_options *options, char **error)
{
	*options = (struct lai_socket_options){
		.tos = config->tos,
		.no_delay = config->no_delay,
		.keepalive_ns = config->no_keepalive ? 0 : config->dead_ns,
		.user_timeout_ns =
			config->user_timeout_ns == LA_NEVER ? 0 : config->user_timeout_ns,
		/* So that a closed window is probed often enough to tell a slow peer from a dead
		   one. */
		.rto_max_ns = config->dead_ns / 4 > LAI_S ? config->dead_ns / 4 : LAI_S,
	};
	/* What the kernel has taken cannot be dropped any more, so it is not given much ahead. */
	if (config->on_full == LA_FULL_DROP_OLDEST)
		options->unsent_max_bytes = config->buffer_bytes / 4 < INT32_MAX
						    ? (uint32_t)(config->buffer_bytes / 4)
						    : INT32_MAX;
	if (config->dead_ns == LA_NEVER)
		options->keepalive_ns = options->rto_max_ns = 0;
	if (config->local_address &&
	    lai_address_parse(config->local_address, config->local_port, &options->local) != 0)
		return lai_error(error, -EINVAL,
				 "the local address is not a numeric IPv4 or IPv6 address");
	if (!reachable(link, lai_address_family(&options->local)))
		return lai_error(error, -EINVAL,
				 "the local address and a server's are not of one family: both "
				 "IPv4 or both IPv6");
	options->device = config->device;
	return 0;
}

/* ---- texts ------------------------------------------------------------------------------ */

/* *text becomes a copy that lives as long as the link. */
static int keep(struct la_link *link, const char **text)
{
	char **texts, *copy;

	if (!*text)
		return 0;
	texts = realloc(link->texts, (link->text_count + 1) * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	link->texts = texts;
	copy = strdup(*text);
	if (!copy)
		return -ENOMEM;
	link->texts[link->text_count++] = copy;
	*text = copy;
	return 0;
}

static int keep_headers(struct la_link *link, struct la_stomp_config *stomp)
{
	int status = 0;

	if (stomp->header_count == 0)
		return 0;
	link->headers = calloc(stomp->header_count, sizeof(*link->headers));
	if (!link->headers)
		return -ENOMEM;
	for (size_t i = 0; status == 0 && i < stomp->header_count; i++) {
		link->headers[i] = stomp->headers[i];
		status = keep(link, &link->headers[i]);
	}
	stomp->headers = link->headers;
	return status;
}

/* The core and the courier go on using these; what is used up by now is forgotten. */
static int keep_texts(struct la_link *link, struct la_link_config *config)
{
	struct la_stomp_config *stomp = &config->stomp;
	const char **texts[] = {&stomp->login,	     &stomp->passcode,	   &stomp->vhost,
				&stomp->destination, &stomp->content_type, &stomp->sender,
				&config->spool.path, &config->device};
	int status = keep_headers(link, stomp);

	for (size_t i = 0; status == 0 && i < sizeof(texts) / sizeof(texts[0]); i++)
		status = keep(link, texts[i]);
	config->urls = NULL;
	config->tls = (struct la_tls_config){0};
	return status;
}

/* ---- stomp:// --------------------------------------------------------------------------- */

static int check_headers(const struct la_stomp_config *stomp, char **error)
{
	static const char *const ours[] = {"destination", "record-id",	    "receipt",
					   "transaction", "content-length", "content-type"};

	for (size_t i = 0; i < stomp->header_count; i++) {
		const char *colon = strchr(stomp->headers[i], ':');

		if (!colon || colon == stomp->headers[i])
			return lai_error(error, -EINVAL, "a header is not of the form NAME:VALUE");
		for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
			if (strncmp(stomp->headers[i], ours[k], strlen(ours[k])) == 0 &&
			    stomp->headers[i][strlen(ours[k])] == ':')
				return lai_error(
					error, -EINVAL,
					"destination, record-id, receipt, transaction, "
					"content-length and content-type are lastack's own: "
					"they cannot be given as extra headers");
	}
	return 0;
}

/* CONNECT knows no escapes, so that these could smuggle headers in. */
static bool has_line_break(const char *text)
{
	return text && strpbrk(text, "\r\n") != NULL;
}

/* A password that everybody on the way can read. */
static bool exposes_password(const struct la_link *link, const struct la_stomp_config *stomp)
{
	if (!stomp->passcode || stomp->plain_password)
		return false;
	for (size_t i = 0; i < link->endpoint_count; i++)
		if (!link->endpoints[i].tls && !lai_endpoint_is_local(&link->endpoints[i]))
			return true;
	return false;
}

static bool lacks_destination(const struct la_link *link, const struct la_stomp_config *stomp)
{
	for (size_t i = 0; i < link->endpoint_count && !stomp->destination; i++)
		if (!link->endpoints[i].destination[0])
			return true;
	return false;
}

static int check_dialogue(const struct la_link *link, struct la_link_config *config, char **error)
{
	const struct la_stomp_config *stomp = &config->stomp;

	if (!link->endpoints[0].wire->has_receipts && config->spool.path)
		return lai_error(error, -EINVAL,
				 "a spool needs receipts: only stomp:// and stomps:// "
				 "have them");
	if (!link->endpoints[0].wire->has_receipts && config->proof == LA_PROOF_CONFIRMED)
		return lai_error(error, -EINVAL,
				 "only stomp:// and stomps:// have receipts, which "
				 "confirm");
	if (!link->endpoints[0].wire->has_receipts)
		return 0;
	config->proof = LA_PROOF_CONFIRMED;
	if (lacks_destination(link, stomp))
		return lai_error(error, -EINVAL,
				 "no destination: write it behind the port, as in "
				 "stomp://HOST:PORT/queue/NAME");
	if (has_line_break(stomp->login) || has_line_break(stomp->passcode) ||
	    has_line_break(stomp->vhost))
		return lai_error(error, -EINVAL,
				 "a login, password or virtual host cannot contain a "
				 "line break: STOMP has no way to write it");
	if (exposes_password(link, stomp))
		return lai_error(error, -EINVAL,
				 "the password would travel in clear text to another host: "
				 "use stomps://, or allow it (--plain-password)");
	if (stomp->sender && !lai_sender_id_is(lai_slice_of(stomp->sender)))
		return lai_error(error, -EINVAL,
				 "a sender's id has 1 to 63 characters: letters, "
				 "digits, '.', '_' and '-'");
	if (stomp->receipts >= LA_RECEIPTS_COUNT || config->spool.durability >= LA_DURABILITY_COUNT)
		return lai_error(error, -EINVAL, "a policy has a value that does not exist");
	if (config->close_policy != LA_CLOSE_GRACEFUL)
		return lai_error(error, -EINVAL,
				 "stomp:// ends with DISCONNECT and its receipt: only "
				 "a graceful close fits");
	if (stomp->rejected_min_ns > stomp->rejected_max_ns)
		return lai_error(error, -EINVAL,
				 "the shortest back-off after a refused login is "
				 "longer than the longest");
	return check_headers(stomp, error);
}

bool lai_la_link_wants_tls(const struct la_link_config *config)
{
	struct lai_endpoint endpoint;
	char *error = NULL;
	bool tls = config->url_count > 0 &&
		   lai_endpoint_parse(&endpoint, config->urls[0], false, &error) == 0 &&
		   endpoint.tls;

	free(error);
	return tls;
}

int lai_la_link_settle(struct la_link *link, struct la_link_config *config,
		       struct lai_socket_options *options, char **error)
{
	int status;

	fill_in_defaults(config);
	status = parse_endpoints(link, config, error);
	/* Without records there is nothing that has to fit as a whole. */
	if (status == 0 && !link->endpoints[0].wire->has_records &&
	    config->record_bytes_max > config->buffer_bytes)
		config->record_bytes_max = config->buffer_bytes;
	if (status == 0)
		status = check(config, error);
	if (status == 0)
		status = check_dialogue(link, config, error);
	if (status == 0)
		status = keep_texts(link, config);
	/* After the copies, of which they keep some; the local address is read here. */
	if (status == 0)
		status = socket_options(link, config, options, error);
	config->local_address = NULL;
	return status;
}
