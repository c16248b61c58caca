/* SPDX-License-Identifier: MIT */
/* select_state.c - the names of TCP states that people know from ss, netstat and RFC 9293. */
#include "cli/select.h"
#include "observe/sockdiag.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define S(id) LAI_SOCKDIAG_STATE(LAI_TCP_##id)
/* The kernel shows a handshake as either. */
#define SYN_RECVS (S(SYN_RECV) | S(NEW_SYN_RECV))
#define CONNECTED (LAI_SOCKDIAG_ALL & ~(S(LISTEN) | S(CLOSE) | S(BOUND_INACTIVE)))

#define ALL_BUT "all-but-"

/* The name that is proposed for a mistyped one comes first among those of a state. */
static const struct {
	const char *name;
	uint32_t mask;
} states[] = {
	{"established", S(ESTABLISHED)},
	{"estab", S(ESTABLISHED)},
	{"syn-sent", S(SYN_SENT)},
	{"syn-recv", SYN_RECVS},
	{"syn-received", SYN_RECVS},
	{"syn-rcvd", SYN_RECVS},
	{"fin-wait-1", S(FIN_WAIT1)},
	{"fin-wait-2", S(FIN_WAIT2)},
	{"fin-wait", S(FIN_WAIT1) | S(FIN_WAIT2)},
	{"time-wait", S(TIME_WAIT)},
	{"closed", S(CLOSE)},
	{"close", S(CLOSE)},
	{"close-wait", S(CLOSE_WAIT)},
	{"last-ack", S(LAST_ACK)},
	{"listen", S(LISTEN)},
	{"listening", S(LISTEN)},
	{"closing", S(CLOSING)},
	{"bound", S(BOUND_INACTIVE)},
	{"bound-inactive", S(BOUND_INACTIVE)},
	/* Groups, as ss has them. */
	{"all", LAI_SOCKDIAG_ALL},
	{"connected", CONNECTED},
	{"synchronized", CONNECTED & ~S(SYN_SENT)},
	{"bucket", S(TIME_WAIT) | SYN_RECVS},
	{"big", LAI_SOCKDIAG_ALL & ~(S(TIME_WAIT) | SYN_RECVS)},
};

#define STATE_COUNT (sizeof(states) / sizeof(states[0]))

/* Equal but for case and what separates the words. */
static bool alike(const char *text, const char *name)
{
	for (;; text++, name++) {
		while (*text == '-' || *text == '_')
			text++;
		while (*name == '-')
			name++;
		if (tolower((unsigned char)*text) != *name)
			return false;
		if (*name == '\0')
			return true;
	}
}

static bool state_named(const char *text, uint32_t *mask)
{
	for (size_t i = 0; i < STATE_COUNT; i++) {
		if (!alike(text, states[i].name))
			continue;
		*mask = states[i].mask;
		return true;
	}
	return false;
}

static const char *nearest_state(const char *text)
{
	const char *names[STATE_COUNT];
	char tidy[LAI_OPTION_NAME_MAX + 1];
	size_t length = strlen(text);

	if (length >= sizeof(tidy))
		return NULL;
	for (size_t i = 0; i <= length; i++)
		tidy[i] = text[i] == '_' ? '-' : (char)tolower((unsigned char)text[i]);
	for (size_t i = 0; i < STATE_COUNT; i++)
		names[i] = states[i].name;
	return lai_option_nearest(tidy, names, STATE_COUNT);
}

int lai_select_state_read(const char *text, uint32_t *mask, const char **nearest)
{
	size_t prefix = strlen(ALL_BUT);
	uint32_t unwanted;

	if (state_named(text, mask))
		return 0;
	if (strncasecmp(text, ALL_BUT, prefix) == 0 && state_named(text + prefix, &unwanted) &&
	    unwanted != LAI_SOCKDIAG_ALL) {
		*mask = LAI_SOCKDIAG_ALL & ~unwanted;
		return 0;
	}
	if (nearest)
		*nearest = nearest_state(text);
	return -EINVAL;
}
