/* SPDX-License-Identifier: MIT */
/* t_certificate.h - certificates for tests, made on the spot: no tool and no file is needed. */
#ifndef T_IO_T_CERTIFICATE_H
#define T_IO_T_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A directory of PEM files, and what is needed to sign more of them. */
struct t_authority {
	X509 *certificate;
	EVP_PKEY *key;
};

struct t_certificate {
	const char *name;	 /* its CN */
	const char *alternative; /* as in openssl.cnf, "DNS:a,IP:127.0.0.1"; NULL: none */
	long from_s, until_s;	 /* from now on */
	bool authority;
};

#define T_DAY_S (24L * 60 * 60)

static void t_certificate_extend(X509 *certificate, int kind, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

	if (!extension || X509_add_ext(certificate, extension, -1) != 1)
		abort();
	X509_EXTENSION_free(extension);
}

/* signer NULL: it signs itself. The certificate is to be freed, and *key as well. */
static X509 *t_certificate_new(const struct t_certificate *wish, const struct t_authority *signer,
			       EVP_PKEY **key)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	static long serial = 1;

	*key = EVP_EC_gen("P-256");
	(void)X509_set_version(certificate, X509_VERSION_3);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
	(void)X509_gmtime_adj(X509_getm_notBefore(certificate), wish->from_s);
	(void)X509_gmtime_adj(X509_getm_notAfter(certificate), wish->until_s);
	(void)X509_set_pubkey(certificate, *key);
	(void)X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
					 (const unsigned char *)wish->name, -1, -1, 0);
	(void)X509_set_issuer_name(certificate,
				   signer ? X509_get_subject_name(signer->certificate) : subject);
	if (wish->authority)
		t_certificate_extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
	if (wish->alternative)
		t_certificate_extend(certificate, NID_subject_alt_name, wish->alternative);
	if (X509_sign(certificate, signer ? signer->key : *key, EVP_sha256()) == 0)
		abort();
	return certificate;
}

static void t_authority_new(struct t_authority *authority, const char *name)
{
	const struct t_certificate wish = {
		.name = name, .from_s = -T_DAY_S, .until_s = T_DAY_S, .authority = true};

	authority->certificate = t_certificate_new(&wish, NULL, &authority->key);
}

static void t_authority_done(struct t_authority *authority)
{
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
}

/* Writes certificate and key, where they are not NULL, into one file. */
static void t_pem_write(const char *path, X509 *certificate, EVP_PKEY *key)
{
	FILE *file = fopen(path, "we");

	if (!file || (certificate && PEM_write_X509(file, certificate) != 1) ||
	    (key && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1) ||
	    fclose(file) != 0)
		abort();
}

/* Makes one and writes it with its key. */
static void t_certificate_write(const char *path, const struct t_certificate *wish,
				const struct t_authority *signer)
{
	EVP_PKEY *key;
	X509 *certificate = t_certificate_new(wish, signer, &key);

	t_pem_write(path, certificate, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

#endif
