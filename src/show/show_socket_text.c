/* SPDX-License-Identifier: MIT */
/* show_socket_text.c - numbers, durations and addresses as text, without the cost of printf. */
#include "show/show_socket.h"

#include "show/show_paragraph.h"

#include <assert.h>
#include <string.h>

/* Digits of 2^64 - 1. */
#define NUMBER_DIGITS 20
/* Before a number: "] fd " and the like. */
#define PREFIX_MAX 16
/* Two numbers and their units. */
#define DURATION_TEXT_MAX (2 * NUMBER_DIGITS + 8)
/* "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535" and "::ffff:" forms are shorter. */
#define ADDRESS_TEXT_MAX 80
#define GROUPS 8 /* of 16 bits, in an IPv6 address */

/* Writes the digits so that they end before end; returns where they begin. */
static char *digits_before(char *end, uint64_t number)
{
	do {
		*--end = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return end;
}

/* For a few bytes a loop is faster than the call of memcpy(). */
static char *write_bytes(char *at, const char *from, const char *end)
{
	while (from < end)
		*at++ = *from++;
	return at;
}

/* Writes a number of at least so many digits, then a unit; returns the end. */
static char *write_number(char *at, uint64_t number, size_t digits_min, const char *unit)
{
	char digits[NUMBER_DIGITS], *end = digits + sizeof(digits);
	char *start = digits_before(end, number);

	while ((size_t)(end - start) < digits_min)
		*--start = '0';
	at = write_bytes(at, start, end);
	while (*unit)
		*at++ = *unit++;
	return at;
}

void lai_show_number(struct lai_text *text, uint64_t number)
{
	char digits[NUMBER_DIGITS], *end = digits + sizeof(digits);
	char *start = digits_before(end, number);

	lai_text_append_bytes(text, start, (size_t)(end - start));
}

void lai_show_number_after(struct lai_text *text, const char *prefix, uint64_t number)
{
	char written[PREFIX_MAX + NUMBER_DIGITS];
	size_t length = strlen(prefix);
	char *end;

	assert(length <= PREFIX_MAX);
	memcpy(written, prefix, length);
	end = write_number(written + length, number, 1, "");
	lai_text_append_bytes(text, written, (size_t)(end - written));
}

void lai_show_seconds(struct lai_text *text, uint64_t duration_ms)
{
	char written[DURATION_TEXT_MAX], *end;

	end = write_number(written, duration_ms / 1000, 1, ".");
	end = write_number(end, duration_ms % 1000, 3, "");
	lai_text_append_bytes(text, written, (size_t)(end - written));
}

/* Two units: the lesser with two digits, so that columns of times are easy to compare. */
static char *write_two(char *at, uint64_t number, const char *unit, uint64_t lesser,
		       const char *lesser_unit)
{
	return write_number(write_number(at, number, 1, unit), lesser, 2, lesser_unit);
}

void lai_show_duration(struct lai_text *text, uint64_t duration_ms)
{
	char written[DURATION_TEXT_MAX], *end;
	uint64_t s = duration_ms / 1000, tenths = duration_ms / 100;

	if (duration_ms < 1000)
		end = write_number(written, duration_ms, 1, "ms");
	else if (s < 10)
		end = write_number(write_number(written, s, 1, "."), tenths % 10, 1, "s");
	else if (s < 60)
		end = write_number(written, s, 1, "s");
	else if (s < 3600)
		end = write_two(written, s / 60, "m", s % 60, "s");
	else if (s < 48 * 3600)
		end = write_two(written, s / 3600, "h", s / 60 % 60, "m");
	else
		end = write_number(write_number(written, s / 86400, 1, "."), s % 86400 / 8640, 1,
				   "d");
	lai_text_append_bytes(text, written, (size_t)(end - written));
}

/* ---- addresses ---------------------------------------------------------------------------- */

static char *write_v4(char *at, const uint8_t bytes[4])
{
	for (int i = 0; i < 4; i++) {
		char digits[3], *end = digits + sizeof(digits);
		char *start = digits_before(end, bytes[i]);

		if (i > 0)
			*at++ = '.';
		at = write_bytes(at, start, end);
	}
	return at;
}

static char *write_group(char *at, unsigned group)
{
	static const char hexadecimal[] = "0123456789abcdef";
	bool begun = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		unsigned digit = group >> shift & 15;

		begun = begun || digit != 0 || shift == 0;
		if (begun)
			*at++ = hexadecimal[digit];
	}
	return at;
}

/* RFC 5952, section 4.2: the longest run of two or more zeros, the first of equals. */
static int longest_zeros(const unsigned groups[GROUPS], int *length)
{
	int best = -1, run = 0;

	*length = 1;
	for (int i = 0; i < GROUPS; i++) {
		run = groups[i] == 0 ? run + 1 : 0;
		if (run > *length) {
			*length = run;
			best = i + 1 - run;
		}
	}
	return best;
}

static char *write_v6(char *at, const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned groups[GROUPS];
	int zeros, length;

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		memcpy(at, "::ffff:", 7);
		return write_v4(at + 7, bytes + 12);
	}
	for (int i = 0; i < GROUPS; i++)
		groups[i] = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1];
	zeros = longest_zeros(groups, &length);
	for (int i = 0; i < GROUPS; i++) {
		if (i == zeros) {
			*at++ = ':';
			if (i + length == GROUPS)
				*at++ = ':';
			i += length - 1;
			continue;
		}
		if (i > 0)
			*at++ = ':';
		at = write_group(at, groups[i]);
	}
	return at;
}

static char *write_host(char *at, const struct lai_address *address)
{
	if (lai_address_family(address) == AF_INET)
		return write_v4(at, (const uint8_t *)&address->v4.sin_addr);
	at = write_v6(at, address->v6.sin6_addr.s6_addr);
	if (address->v6.sin6_scope_id) {
		*at++ = '%';
		at = write_number(at, address->v6.sin6_scope_id, 1, "");
	}
	return at;
}

void lai_show_host(struct lai_text *text, const struct lai_address *address)
{
	char host[ADDRESS_TEXT_MAX];

	if (lai_address_family(address) != AF_UNSPEC)
		lai_text_append_bytes(text, host, (size_t)(write_host(host, address) - host));
}

void lai_show_address(struct lai_text *text, const struct lai_address *address)
{
	char written[ADDRESS_TEXT_MAX], *end = written;
	uint16_t port = lai_address_port(address);

	if (lai_address_family(address) == AF_UNSPEC)
		return;
	if (lai_address_family(address) == AF_INET6)
		*end++ = '[';
	end = write_host(end, address);
	if (lai_address_family(address) == AF_INET6)
		*end++ = ']';
	*end++ = ':';
	if (port == 0)
		*end++ = '*';
	else
		end = write_number(end, port, 1, "");
	lai_text_append_bytes(text, written, (size_t)(end - written));
}

/* ---- foreign texts ------------------------------------------------------------------------ */

void lai_show_foreign(struct lai_text *text, const char *string)
{
	lai_show_safe(text, string, SIZE_MAX);
}

void lai_show_netns(struct lai_text *text, const struct lai_namespace *name_space)
{
	if (*name_space->name) {
		lai_show_foreign(text, name_space->name);
		return;
	}
	lai_show_number_after(text, "net:[", name_space->inode);
	lai_text_append_bytes(text, "]", 1);
}
