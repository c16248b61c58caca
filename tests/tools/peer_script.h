/* SPDX-License-Identifier: MIT */
/* peer_script.h - reads the ACTION operands of peer.c: VERB[:OPERAND]... -> struct action. */
#ifndef T_PEER_SCRIPT_H
#define T_PEER_SCRIPT_H

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MAX 3

struct action {
	const struct verb *verb; /* NULL after the last action */
	const char *given;	 /* as on the command line */
	uint64_t number[NUMBERS_MAX];
	char *text;
	size_t text_bytes;
};

/* What an action does with the connection. */
enum use { FREE, NEEDS, ENDS, OPENS };

enum verb_id {
	READ, READ_EOF, READ_RANDOM, DRAIN, SLOW, WRITE, SEND, SENDFILE, SHUTDOWN, CLOSE, RST, HOLD,
	CONNECT, PAUSE, WAIT, TOUCH, STOP, UNLISTEN, EXIT,
};

struct verb {
	const char *name;
	const char *operands; /* a letter each: n number, t text to the end, e text with escapes */
	enum verb_id id;
	enum use use;
	const char *help;
};

static const struct verb verbs[] = {
	{"read", "n", READ, NEEDS, "that many bytes, or to EOF"},
	{"read:eof", "", READ_EOF, NEEDS, ""},
	{"read:random", "nnn", READ_RANDOM, NEEDS, "MIN to MAX bytes, by SEED"},
	{"drain", "", DRAIN, NEEDS, "reads what is queued now"},
	{"slow", "nn", SLOW, NEEDS, "at most BYTES every MS, to EOF"},
	{"write", "e", WRITE, NEEDS, "TEXT with \\n \\r \\t \\0 \\\\"},
	{"send", "n", SEND, NEEDS, "pseudo-random bytes"},
	{"sendfile", "t", SENDFILE, NEEDS, ""},
	{"shutdown", "", SHUTDOWN, NEEDS, "our FIN"},
	{"close", "", CLOSE, ENDS, ""},
	{"rst", "", RST, ENDS, "aborts"},
	{"hold", "", HOLD, NEEDS, "keeps open and reads nothing until killed"},
	{"connect", "", CONNECT, OPENS, "closing an open one; only with --connect"},
	{"pause", "n", PAUSE, FREE, "milliseconds"},
	{"wait", "t", WAIT, FREE, "until the file exists"},
	{"touch", "t", TOUCH, FREE, ""},
	{"stop", "", STOP, FREE, "SIGSTOP to itself"},
	{"unlisten", "", UNLISTEN, FREE, "closes the listener"},
	{"exit", "", EXIT, FREE, "ends the process as it is, as in a crash"},
	{"exit", "n", EXIT, FREE, "with this code"},
	{0},
};

/* Reads a decimal number; returns what follows it, NULL if there is none. */
static inline const char *script_number(const char *text, uint64_t *number)
{
	char *end = NULL;

	errno = 0;
	*number = strtoull(text, &end, 10);
	return isdigit((unsigned char)*text) && errno == 0 ? end : NULL;
}

/* Replaces \n \r \t \0 and \\ in place; returns the length, or -1 for any other escape. */
static inline ssize_t script_unescape(char *text)
{
	static const char letters[] = "nrt0\\", meanings[] = "\n\r\t\0\\";
	char *to = text;

	for (const char *from = text; *from; from++) {
		const char *letter = *from == '\\' && from[1] ? strchr(letters, from[1]) : NULL;

		if (*from == '\\' && !letter)
			return -1;
		*to++ = letter ? meanings[letter - letters] : *from;
		from += letter != NULL;
	}
	*to = '\0';
	return to - text;
}

/* Does this text fit this row of the table? Fills *action if it does. */
static inline bool script_fits(const struct verb *verb, const char *text, struct action *action)
{
	const char *rest = text + strlen(verb->name);
	size_t numbers = 0;
	ssize_t length = 0;

	if (strncmp(text, verb->name, strlen(verb->name)))
		return false;
	*action = (struct action){.verb = verb, .given = text};
	for (const char *operand = verb->operands; *operand; operand++) {
		if (!rest || *rest++ != ':')
			return false;
		if (*operand == 'n') {
			rest = script_number(rest, &action->number[numbers++]);
			continue;
		}
		action->text = strdup(rest);
		length = !action->text	   ? -1
			 : *operand == 'e' ? script_unescape(action->text)
					   : (ssize_t)strlen(rest);
		action->text_bytes = (size_t)length;
		if (length < 0) {
			free(action->text);
			action->text = NULL;
		}
		return length >= 0;
	}
	return rest && *rest == '\0';
}

/* A client connects by itself unless it says `connect` before it needs the connection. */
static inline bool script_starts_connected(const struct action *script)
{
	while (script->verb && script->verb->use == FREE)
		script++;
	return !script->verb || script->verb->use != OPENS;
}

/*
 * The script, ended by an action without verb; it lives as long as the process. NULL: *why is a
 * sentence. An action that needs a connection after one that ended it is refused here.
 */
static inline struct action *script_read(char **words, bool client, char **why)
{
	size_t count = 0;
	struct action *script, *action;
	bool open;

	while (words[count])
		count++;
	script = action = calloc(count + 1, sizeof(*script));
	if (!script || (count == 0 && asprintf(why, "there is nothing to do") >= 0))
		goto refused;
	for (; *words; words++, action++) {
		const struct verb *verb = verbs;

		while (verb->name && !script_fits(verb, *words, action))
			verb++;
		if (!verb->name && asprintf(why, "%s is not an action", *words) >= 0)
			goto refused;
	}
	open = !client || script_starts_connected(script);
	for (action = script; action->verb; action++) {
		enum use use = action->verb->use;

		if ((use == NEEDS || use == ENDS ? !open : use == OPENS && !client) &&
		    asprintf(why, "%s: %s", action->given,
			     use == OPENS ? "only with --connect" : "there is no connection") >= 0)
			goto refused;
		if (action->verb->id == READ_RANDOM && action->number[0] > action->number[1] &&
		    asprintf(why, "%s: MIN is over MAX", action->given) >= 0)
			goto refused;
		open = use == OPENS || (open && use != ENDS);
	}
	return script;
refused:
	for (size_t i = 0; script && i < count; i++)
		free(script[i].text);
	free(script);
	return NULL;
}

#endif
