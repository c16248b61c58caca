/* SPDX-License-Identifier: MIT */
/* What all sockets of one network have in common: who is trusted, who we are, what TLS may be. */
#include "io/tls_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Tickets are only good where they were made for the same purpose (SSL_CTX_set_session_id_context). */
static const unsigned char session_purpose[] = "lastack";

static int refuse(char **error, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(char **error, int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (error && vasprintf(error, format, list) < 0)
		*error = NULL;
	va_end(list);
	ERR_clear_error();
	return status;
}

/* Whether a file can be read at all: OpenSSL's own words for it help nobody. */
static int check_file(const char *path, const char *what, char **error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), status = -errno;

	if (fd < 0)
		return refuse(error, status, "the %s '%s' cannot be read: %s", what, path,
			      strerror(-status));
	(void)close(fd);
	return 0;
}

static const char *last_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return reason ? reason : "OpenSSL gives no reason";
}

/* Nobody is there to type it. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
	(void)buffer;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static int use_certificate(SSL_CTX *context, const struct la_tls_config *config, char **error)
{
	const char *key = config->key ? config->key : config->cert;
	bool encrypted = false;
	int status = check_file(config->cert, "certificate", error);

	if (status == 0)
		status = check_file(key, "private key", error);
	if (status != 0)
		return status;
	if (SSL_CTX_use_certificate_chain_file(context, config->cert) != 1)
		return refuse(error, -EINVAL,
			      "'%s' cannot be used as a certificate: %s (PEM is needed)",
			      config->cert, last_reason());
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
	status = SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb(context, NULL);
	SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
	if (status == 1)
		return 0;
	if (encrypted)
		return refuse(error, -EINVAL,
			      "the private key in '%s' is encrypted: one without a passphrase is "
			      "needed",
			      key);
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return refuse(error, -EINVAL,
			      "the private key in '%s' does not belong to the certificate in '%s'",
			      key, config->cert);
	return refuse(error, -EINVAL, "'%s' holds no private key that can be used: %s", key,
		      last_reason());
}

static int trust(SSL_CTX *context, const struct la_tls_config *config, bool server, char **error)
{
	STACK_OF(X509_NAME) * names;
	int status;

	if (!config->ca) {
		if (!server && SSL_CTX_set_default_verify_paths(context) != 1)
			return refuse(error, -EINVAL,
				      "the certificates that the system trusts cannot be read: %s",
				      last_reason());
		return 0;
	}
	status = check_file(config->ca, "CA certificate", error);
	if (status != 0)
		return status;
	if (SSL_CTX_load_verify_file(context, config->ca) != 1)
		return refuse(error, -EINVAL,
			      "'%s' cannot be used as a CA certificate: %s (PEM is needed)",
			      config->ca, last_reason());
	if (!server)
		return 0;
	/* Clients choose their certificate by it. */
	names = SSL_load_client_CA_file(config->ca);
	if (!names)
		return refuse(error, -ENOMEM, "out of memory");
	SSL_CTX_set_client_CA_list(context, names);
	return 0;
}

/* The server asks for a certificate, and we have none: what it then says is not clear in TLS 1.2. */
static int on_client_wanted(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	struct lai_tls_socket *socket = SSL_get_app_data(ssl);

	(void)certificate;
	(void)key;
	socket->wants_client = true;
	return 0;
}

static int verify_mode(const struct la_tls_config *config, bool server)
{
	if (!server)
		return SSL_VERIFY_PEER;
	if (!config->ca)
		return SSL_VERIFY_NONE;
	return SSL_VERIFY_PEER |
	       (config->client_cert_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
}

static int set_up(SSL_CTX *context, const struct la_tls_config *config, bool server, char **error)
{
	int status;

	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_session_id_context(context, session_purpose, sizeof(session_purpose) - 1) !=
		    1)
		return refuse(error, -EINVAL, "TLS cannot be set up: %s", last_reason());
	/* An end without close_notify is told apart by tls_wire.c. */
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Whole records, where one byte after the other would mean two system calls for each. */
	SSL_CTX_set_read_ahead(context, 1);
	/*
	 * No resumption. The tickets of TLS 1.3 come after the handshake, and a client that only
	 * writes has them unread when it closes: its kernel then sends an RST, which destroys what it
	 * wrote last.
	 */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_verify(context, verify_mode(config, server), lai_tls_why_refused);
	SSL_CTX_set_client_cert_cb(context, on_client_wanted);
	status = trust(context, config, server, error);
	return status == 0 && config->cert ? use_certificate(context, config, error) : status;
}

int lai_tls_context_new(SSL_CTX **context, const struct la_tls_config *config, bool server,
			char **error)
{
	SSL_CTX *made;
	int status;

	if (server && !config->cert)
		return refuse(error, -EINVAL, "a TLS server needs a certificate and its key");
	if (config->key && !config->cert)
		return refuse(error, -EINVAL, "a private key without its certificate is of no use");
	if (server && config->client_cert_required && !config->ca)
		return refuse(error, -EINVAL,
			      "client certificates can only be demanded with the CA that signs "
			      "them");
	made = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!made)
		return refuse(error, -ENOMEM, "out of memory");
	status = set_up(made, config, server, error);
	if (status != 0) {
		SSL_CTX_free(made);
		return status;
	}
	*context = made;
	return 0;
}
