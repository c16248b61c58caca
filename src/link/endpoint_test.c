/* SPDX-License-Identifier: MIT */
/* URLs as users type them: what the good ones mean, and the sentence for each bad one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "link/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_EACH 256

struct good {
	const char *url;
	bool server;
	const char *scheme, *host;
	uint16_t port;
	const char *text;
	bool numeric;
};

static const struct good goods[] = {
	{"tcp://example.org:80", false, "tcp", "example.org", 80, "example.org:80", false},
	{"lines://example.org:1", false, "lines", "example.org", 1, "example.org:1", false},
	{"tcp://example.org:65535/", false, "tcp", "example.org", 65535, "example.org:65535",
	 false},
	{"tcp://192.0.2.1:80", false, "tcp", "192.0.2.1", 80, "192.0.2.1:80", true},
	{"tcp://[2001:db8::1]:80", false, "tcp", "2001:db8::1", 80, "[2001:db8::1]:80", true},
	{"tcp://[::1]:80", true, "tcp", "::1", 80, "[::1]:80", true},
	{"tcp://[fe80::1%lo]:80", false, "tcp", "fe80::1%lo", 80, "[fe80::1%1]:80", true},
	{"tcp://localhost:0", true, "tcp", "localhost", 0, "localhost:0", false},
	{"tcp://:4711", true, "tcp", "::", 4711, "[::]:4711", true},
	{"tcp://*:4711", true, "tcp", "::", 4711, "[::]:4711", true},
	{"lines://my_host-1.example:9", false, "lines", "my_host-1.example", 9,
	 "my_host-1.example:9", false},
	/* No valid IPv4 address: a name, which the resolver may know or not. */
	{"tcp://1.2.3.4.5:80", false, "tcp", "1.2.3.4.5", 80, "1.2.3.4.5:80", false},
	{"tcp://b\303\274cher.example:80", false, "tcp", "b\303\274cher.example", 80,
	 "b\303\274cher.example:80", false},
	{"stomp://example.org:1", false, "stomp", "example.org", 1, "example.org:1", false},
	{"stomp://:1", true, "stomp", "::", 1, "[::]:1", true},
};

/* stomp://: who logs in, and where to. */
static const struct {
	const char *url, *login, *destination;
	bool tls, local;
} dialogues[] = {
	{"stomp://h:1", "", "", false, false},
	{"stomp://h:1/", "", "", false, false},
	{"stomps://h:1/queue/a", "", "/queue/a", true, false},
	{"stomp://ann@localhost:1/queue/a:b@c", "ann", "/queue/a:b@c", false, true},
	{"stomp://a%40b%2fc@[::1]:1/amq/queue/x%20y", "a@b/c", "/amq/queue/x y", false, true},
	{"stomp://a@b@127.9.9.9:1/q", "a@b", "/q", false, true},
	{"tls://h:1", "", "", true, false},
};

/* What the sentence must say: what is wrong, in the user's words, and what is accepted. */
static const struct {
	const char *url;
	bool server;
	const char *says[3];
} bads[] = {
	{"", false, {"not a URL", "tcp://HOST:PORT", "lines://HOST:PORT"}},
	{"example.org:80", false, {"'example.org:80'", "not a URL", "tcp://"}},
	{"tcp:/example.org:80", false, {"not a URL"}},
	{"http://example.org:80", false, {"unknown scheme 'http://'", "tcp://", "lines://"}},
	{"://example.org:80", false, {"unknown scheme '://'"}},
	{"tcpp://example.org:80", false, {"unknown scheme 'tcpp://'"}},
	{"averyveryverylongscheme://h:1", false, {"unknown scheme"}},
	{"tcp://", false, {"SCHEME://HOST:PORT"}},
	{"tcp://example.org", false, {"'tcp://example.org'", "HOST:PORT"}},
	{"tcp://example.org:", false, {"no port"}},
	{"tcp://example.org:http", false, {"no port"}},
	{"tcp://example.org:-1", false, {"no port"}},
	{"tcp://example.org: 80", false, {"no port"}},
	{"tcp://example.org:0", false, {"port 0", "1 to 65535"}},
	{"tcp://example.org:65536", false, {"65536", "out of range", "1 to 65535"}},
	{"tcp://example.org:70000", true, {"70000", "out of range"}},
	{"tcp://example.org:99999999999999999999999999", false, {"out of range"}},
	{"tcp://example.org:80x", false, {"'x'", "nothing may follow"}},
	{"tcp://example.org:80/path", false, {"'/path'", "nothing may follow"}},
	{"tcp://example.org:80//", false, {"nothing may follow"}},
	{"tcp://:80", false, {"no host"}},
	{"tcp://[]:80", false, {"no host"}},
	{"tcp://::1:80", false, {"brackets", "[::1]:PORT"}},
	{"tcp://[::1]80", false, {"SCHEME://HOST:PORT"}},
	{"tcp://[::1:80", false, {"SCHEME://HOST:PORT"}},
	{"tcp://[example.org]:80", false, {"'[example.org]'", "not an IPv6 address"}},
	{"tcp://[fe80::1%nosuchif0]:80", false, {"not an IPv6 address"}},
	{"tcp://[fe80::1]:80", false, {"link-local", "interface", "%eth0"}},
	{"tcp://user@example.org:80", false, {"user name"}},
	{"tcp://exa mple.org:80", false, {"character"}},
	{"tcp://exa/mple.org:80", false, {"character"}},
	{"tcp://exa\nmple.org:80", false, {"character"}},
	{"tcp://*:80", false, {"'tcp://*:80'"}},
	{"stomp://ann:secret@h:1/q", false, {"password", "--passcode-file", "LASTACK_PASSCODE"}},
	{"stomp://@h:1/q", false, {"user name", "empty"}},
	{"stomp://a%0ab@h:1/q", false, {"user name", "%XX"}},
	{"stomp://a%4@h:1/q", false, {"user name"}},
	{"stomp://h:1/q%00", false, {"destination", "%XX"}},
	{"stomp://h:1/q%zz", false, {"destination"}},
	{"stomp://h:1/q", true, {"'/q'", "nothing may follow"}},
	{"stomp://ann@h:1", true, {"user name", "--users"}},
	{"lines://ann@h:1", false, {"user name", "no login"}},
};

static void test_good(void **state)
{
	const struct good *row = *state;
	struct lai_endpoint endpoint;
	char *error = NULL;

	assert_int_equal(lai_endpoint_parse(&endpoint, row->url, row->server, &error), 0);
	assert_null(error);
	assert_string_equal(endpoint.wire->scheme, row->scheme);
	assert_string_equal(endpoint.host, row->host);
	assert_int_equal(endpoint.port, row->port);
	assert_string_equal(endpoint.text, row->text);
	assert_int_equal(endpoint.address.length != 0, row->numeric);
	if (row->numeric)
		assert_int_equal(lai_address_port(&endpoint.address), row->port);
}

static void test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		struct lai_endpoint endpoint;
		char *error = NULL;

		assert_int_equal(lai_endpoint_parse(&endpoint, dialogues[i].url, false, &error), 0);
		assert_string_equal(endpoint.login, dialogues[i].login);
		assert_string_equal(endpoint.destination, dialogues[i].destination);
		assert_int_equal(endpoint.tls, dialogues[i].tls);
		assert_int_equal(lai_endpoint_is_local(&endpoint), dialogues[i].local);
	}
}

static void test_bad(void **state)
{
	size_t row = (size_t)*state;
	struct lai_endpoint endpoint, before;
	char *error = NULL;

	memset(&endpoint, 0x5a, sizeof(endpoint));
	before = endpoint;
	assert_int_equal(lai_endpoint_parse(&endpoint, bads[row].url, bads[row].server, &error),
			 -EINVAL);
	assert_non_null(error);
	for (size_t k = 0; k < 3 && bads[row].says[k]; k++)
		if (!strstr(error, bads[row].says[k]))
			fail_msg("'%s' does not say '%s'", error, bads[row].says[k]);
	assert_memory_equal(&endpoint, &before, sizeof(endpoint));
	free(error);
}

/* A host of this length, as a URL. */
static int parse_long(size_t length, struct lai_endpoint *endpoint, char **error)
{
	char url[2 * LAI_HOST_MAX];

	memset(url, 'h', sizeof(url));
	memcpy(url, "tcp://", 6);
	snprintf(url + 6 + length, sizeof(url) - 6 - length, ":80");
	return lai_endpoint_parse(endpoint, url, false, error);
}

static void test_long_host(void **state)
{
	struct lai_endpoint endpoint;
	char *error = NULL;

	(void)state;
	assert_int_equal(parse_long(LAI_HOST_MAX - 1, &endpoint, &error), 0);
	assert_int_equal(strlen(endpoint.host), LAI_HOST_MAX - 1);
	assert_true(strlen(endpoint.text) < sizeof(endpoint.text));
	assert_int_equal(parse_long(LAI_HOST_MAX, &endpoint, &error), -EINVAL);
	assert_non_null(strstr(error, "255"));
	free(error);
}

/* Any byte may stand anywhere: an answer, a sentence, no crash. */
static void test_any_byte(void **state)
{
	(void)state;
	for (size_t place = 0; place < strlen("tcp://[::1]:80"); place++) {
		for (int byte = 0; byte < BYTES_EACH; byte++) {
			char url[] = "tcp://[::1]:80";
			struct lai_endpoint endpoint;
			char *error = NULL;

			url[place] = (char)byte;
			if (lai_endpoint_parse(&endpoint, url, byte & 1, &error) != 0)
				assert_non_null(error);
			else
				assert_null(error);
			free(error);
		}
	}
}

#define GOODS (sizeof(goods) / sizeof(goods[0]))
#define BADS (sizeof(bads) / sizeof(bads[0]))
#define NAME_MAX_BYTES 128

int main(void)
{
	static const struct CMUnitTest others[] = {
		{.name = "a host of 255 characters is taken, of 256 refused",
		 .test_func = test_long_host},
		{.name = "any byte at any place has an answer", .test_func = test_any_byte},
		{.name = "stomp://: login, destination, TLS", .test_func = test_dialogues},
	};
	static char names[GOODS + BADS][NAME_MAX_BYTES];
	struct CMUnitTest tests[GOODS + BADS + sizeof(others) / sizeof(others[0])];

	for (size_t i = 0; i < GOODS + BADS; i++) {
		bool good = i < GOODS;
		const char *url = good ? goods[i].url : bads[i - GOODS].url;

		/* A line of TAP has one line. */
		snprintf(names[i], NAME_MAX_BYTES, "%s: %s%s",
			 good ? "taken" : "refused with a sentence",
			 strchr(url, '\n') ? "a line break in the host" : url,
			 (good ? goods[i].server : bads[i - GOODS].server) ? " (server)" : "");
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = good ? test_good : test_bad,
			.initial_state = good ? (void *)&goods[i] : (void *)(i - GOODS),
		};
	}
	memcpy(tests + GOODS + BADS, others, sizeof(others));
	return cmocka_run_group_tests_name("link.endpoint", tests, NULL, NULL);
}
