/* SPDX-License-Identifier: MIT */
/* From OpenSSL's errors and alerts (RFC 8446, 6.2) to an errno value and a sentence. */
#include "io/tls_inside.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WHY_BYTES_MAX 512
/* How many of a certificate's names a sentence shows. */
#define NAMES_SHOWN 3
#define NAME_BYTES_MAX 120
#define DATE_BYTES sizeof("2026-01-01")

/* ---- names in certificates ---------------------------------------------------------------- */

/* A text of the peer's, fit to be shown: printable ASCII, not too long. */
static void append_name(struct lai_text *text, const unsigned char *name, int size)
{
	lai_text_append(text, "'");
	for (int i = 0; i < size && i < NAME_BYTES_MAX; i++)
		lai_text_append(text, "%c", name[i] >= ' ' && name[i] < 0x7f ? name[i] : '?');
	lai_text_append(text, size > NAME_BYTES_MAX ? "...'" : "'");
}

static const ASN1_STRING *common_name(const X509_NAME *name)
{
	int place = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	X509_NAME_ENTRY *entry = place < 0 ? NULL : X509_NAME_get_entry(name, place);

	return entry ? X509_NAME_ENTRY_get_data(entry) : NULL;
}

static bool is_plain(const unsigned char *text, int size)
{
	for (int i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] == 0x7f)
			return false;
	return size > 0;
}

char *lai_tls_common_name(const X509 *certificate)
{
	const ASN1_STRING *name = common_name(X509_get_subject_name(certificate));
	unsigned char *utf8 = NULL;
	char *copy = NULL;
	int size = name ? ASN1_STRING_to_UTF8(&utf8, name) : -1;

	/* A name with a NUL or a line feed in it pretends to be another. */
	if (size > 0 && is_plain(utf8, size))
		copy = strndup((const char *)utf8, (size_t)size);
	OPENSSL_free(utf8);
	return copy;
}

static void append_common_name(struct lai_text *text, const X509_NAME *subject)
{
	const ASN1_STRING *name = common_name(subject);

	if (name)
		append_name(text, ASN1_STRING_get0_data(name), ASN1_STRING_length(name));
	else
		lai_text_append(text, "somebody without a name");
}

static bool append_alternative(struct lai_text *text, const GENERAL_NAME *name)
{
	char address[INET6_ADDRSTRLEN];
	const ASN1_STRING *data;

	if (name->type == GEN_DNS) {
		data = name->d.dNSName;
		append_name(text, ASN1_STRING_get0_data(data), ASN1_STRING_length(data));
		return true;
	}
	if (name->type != GEN_IPADD)
		return false;
	data = name->d.iPAddress;
	lai_text_append(text, "%s",
			inet_ntop(ASN1_STRING_length(data) == 4 ? AF_INET : AF_INET6,
				  ASN1_STRING_get0_data(data), address, sizeof(address)));
	return true;
}

/* Whom the certificate is for, as a client looks at it: the alternative names, or else the CN. */
static void append_names(struct lai_text *text, const X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int count = sk_GENERAL_NAME_num(names), shown = 0;

	for (int i = 0; i < count && shown < NAMES_SHOWN; i++) {
		struct lai_text one = LAI_TEXT_INIT(WHY_BYTES_MAX);

		if (append_alternative(&one, sk_GENERAL_NAME_value(names, i)))
			lai_text_append(text, "%s%s", shown++ ? ", " : "", lai_text_string(&one));
		lai_text_done(&one);
	}
	if (shown == 0)
		append_common_name(text, X509_get_subject_name(certificate));
	else if (count > shown)
		lai_text_append(text, ", ...");
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

/* ---- a certificate that we refuse ---------------------------------------------------------- */

static const char *peer_of(const struct lai_tls_socket *socket)
{
	return socket->tls->server ? "the client" : "the server";
}

static void append_date(struct lai_text *text, const ASN1_TIME *time)
{
	char date[DATE_BYTES];
	struct tm fields;

	if (ASN1_TIME_to_tm(time, &fields) && strftime(date, sizeof(date), "%Y-%m-%d", &fields) > 0)
		lai_text_append(text, " on %s", date);
}

/* Whose certificate it is: the peer's own, or that of one who signs it. */
static void append_bearer(struct lai_text *text, const struct lai_tls_socket *socket, X509 *shown,
			  int depth)
{
	if (depth == 0) {
		lai_text_append(text, "%s's certificate ", peer_of(socket));
		return;
	}
	lai_text_append(text, "the certificate of ");
	append_common_name(text, X509_get_subject_name(shown));
	lai_text_append(text, ", who signs %s's, ", peer_of(socket));
}

static void append_verdict(struct lai_text *text, const struct lai_tls_socket *socket, X509 *shown,
			   int verdict)
{
	switch (verdict) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		lai_text_append(text, "is for ");
		append_names(text, shown);
		lai_text_append(text, ", not '%s'", socket->expected ? socket->expected : "");
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		lai_text_append(text, "has expired");
		append_date(text, X509_get0_notAfter(shown));
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		lai_text_append(text, "is not valid yet, but");
		append_date(text, X509_get0_notBefore(shown));
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		lai_text_append(text, "is self-signed, and not among those trusted");
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		lai_text_append(text, "is signed by ");
		append_common_name(text, X509_get_issuer_name(shown));
		lai_text_append(text, ", who is not trusted");
		break;
	default: lai_text_append(text, "is refused: %s", X509_verify_cert_error_string(verdict));
	}
}

int lai_tls_why_refused(int accepted, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct lai_tls_socket *socket = SSL_get_app_data(ssl);
	X509 *shown = X509_STORE_CTX_get_current_cert(store);
	struct lai_text text = LAI_TEXT_INIT(WHY_BYTES_MAX);
	int verdict = X509_STORE_CTX_get_error(store);
	int depth = X509_STORE_CTX_get_error_depth(store);

	if (accepted)
		return 1;
	if (!shown || verdict == X509_V_ERR_HOSTNAME_MISMATCH ||
	    verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
		shown = X509_STORE_CTX_get0_cert(store);
		depth = 0;
	}
	append_bearer(&text, socket, shown, depth);
	append_verdict(&text, socket, shown, verdict);
	free(socket->refusal);
	socket->refusal = NULL;
	if (lai_text_steal(&text, &socket->refusal) != 0)
		lai_text_done(&text);
	return 0;
}

/* ---- what the peer says, and all else ------------------------------------------------------ */

static bool is_about_certificates(int alert)
{
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED: return true;
	default: return false;
	}
}

static int say_alert(struct lai_text *text, const struct lai_tls_socket *socket, int alert)
{
	const char *peer = peer_of(socket);

	/* TLS 1.2 has no word of its own for it. */
	if (alert == SSL_AD_CERTIFICATE_REQUIRED ||
	    (alert == SSL_AD_HANDSHAKE_FAILURE && socket->wants_client)) {
		lai_text_append(text, "%s demands a client certificate", peer);
		return EKEYREJECTED;
	}
	if (alert == SSL_AD_PROTOCOL_VERSION) {
		lai_text_append(text, "no common TLS version: TLS 1.2 or newer is needed");
		return EPROTO;
	}
	if (is_about_certificates(alert)) {
		lai_text_append(text, "%s refuses our certificate: %s", peer,
				SSL_alert_desc_string_long(alert));
		return EKEYREJECTED;
	}
	lai_text_append(text, "%s ended TLS: %s", peer, SSL_alert_desc_string_long(alert));
	return EPROTO;
}

static int say_reason(struct lai_text *text, const struct lai_tls_socket *socket,
		      unsigned long error)
{
	const char *reason = ERR_reason_error_string(error);

	switch (ERR_GET_REASON(error)) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		lai_text_append(text, "%s", socket->refusal ? socket->refusal : reason);
		return EKEYREJECTED;
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		lai_text_append(text, "the client has sent no certificate");
		return EKEYREJECTED;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_WRONG_SSL_VERSION:
		lai_text_append(text, "no common TLS version: TLS 1.2 or newer is needed");
		return EPROTO;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_LENGTH_MISMATCH:
	case SSL_R_BAD_PACKET_LENGTH:
		lai_text_append(text, "%s does not speak TLS", peer_of(socket));
		return EPROTO;
	case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
		lai_text_append(text, "what %s sent was changed on the way", peer_of(socket));
		return EPROTO;
	default:
		lai_text_append(text, "TLS with %s failed: %s", peer_of(socket),
				reason ? reason : "OpenSSL gives no reason");
		return EPROTO;
	}
}

/* The first error of OpenSSL's TLS, since those behind it are its consequence; or else the first. */
static unsigned long first_error(void)
{
	unsigned long first = ERR_peek_error(), error;

	while ((error = ERR_get_error()) != 0)
		if (ERR_GET_LIB(error) == ERR_LIB_SSL)
			return error;
	return first;
}

int lai_tls_why(const struct lai_tls_socket *socket, char **why)
{
	struct lai_text text = LAI_TEXT_INIT(WHY_BYTES_MAX);
	unsigned long error = first_error();
	int reason = ERR_GET_REASON(error), result;

	if (reason == ERR_R_MALLOC_FAILURE)
		result = ENOMEM;
	else if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
		 reason < SSL_AD_REASON_OFFSET + 256)
		result = say_alert(&text, socket, reason - SSL_AD_REASON_OFFSET);
	else
		result = say_reason(&text, socket, error);
	*why = NULL;
	if (result == ENOMEM || lai_text_steal(&text, why) != 0)
		lai_text_done(&text);
	return result;
}
