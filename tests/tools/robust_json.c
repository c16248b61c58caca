/* SPDX-License-Identifier: MIT */
/*
 * robust_json.c - reads JSON strictly (RFC 8259), so that tests need no other program for it.
 *
 *	robust_json flat <TEXT		  a line "sockets.0.owners.1.pid\t42" for each scalar
 *	robust_json owners <TEXT	  of what "lastack list --json" says, a line "INODE PID FD"
 *					  for each descriptor of each socket; an inode of 0 is none
 *
 * Values stand as they are written, strings with their quotes. Several texts may follow one another
 * (a line each, of a watch); paths of the second begin with "1:", and so on. 0: all is JSON and
 * there is at least one text; 1: it is not, and the message says at which byte.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define PATH_MAX_BYTES 1024
#define CHUNK (1u << 20)

static char *text;
static size_t size, at;
static char path[PATH_MAX_BYTES];
static bool owners;

/* Of the socket in work. */
static char inode[32], pid[32];

__attribute__((noreturn)) static void refuse(const char *why)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "robust_json: byte %zu of %zu: %s\n", at, size, why);
	exit(1);
}

static void read_all(void)
{
	size_t room = 0, got;

	do {
		if (size + CHUNK + 1 > room) {
			room = 2 * room + CHUNK + 1;
			text = realloc(text, room);
			if (!text)
				refuse("no memory");
		}
		got = fread(text + size, 1, CHUNK, stdin);
		size += got;
	} while (got > 0);
	text[size] = '\0';
	if (strlen(text) != size)
		refuse("a NUL");
}

static void skip_space(void)
{
	at += strspn(text + at, " \t\r\n");
}

static void expect(char wanted)
{
	char why[] = "wanted ' '";

	why[sizeof(why) - 3] = wanted;
	if (text[at] != wanted)
		refuse(why);
	at++;
}

/* Bytes of the UTF-8 sequence at *byte, 0: it is none. Overlong ones and surrogates are none. */
static size_t utf8_length(const unsigned char *byte)
{
	size_t length = byte[0] < 0x80 ? 1 : byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : 0;

	if (byte[0] >= 0xe0 && byte[0] < 0xf0)
		length = 3;
	else if (byte[0] >= 0xf0 && byte[0] < 0xf5)
		length = 4;
	for (size_t i = 1; i < length; i++)
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
	if ((byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xed && byte[1] > 0x9f) ||
	    (byte[0] == 0xf0 && byte[1] < 0x90) || (byte[0] == 0xf4 && byte[1] > 0x8f))
		return 0;
	return length;
}

static void escape(void)
{
	at++;
	if (text[at] == 'u') {
		if (strspn(text + at + 1, "0123456789abcdefABCDEF") < 4)
			refuse("\\u without four digits");
		at += 5;
		return;
	}
	if (!text[at] || !strchr("\"\\/bfnrt", text[at]))
		refuse("no such escape");
	at++;
}

static void string(void)
{
	expect('"');
	while (text[at] != '"') {
		size_t length = utf8_length((const unsigned char *)text + at);

		if ((unsigned char)text[at] < ' ')
			refuse("a control character or the end in a string");
		if (length == 0)
			refuse("no UTF-8");
		if (text[at] == '\\')
			escape();
		else
			at += length;
	}
	at++;
}

static size_t digits(void)
{
	size_t count = strspn(text + at, "0123456789");

	if (count == 0)
		refuse("wanted a digit");
	at += count;
	return count;
}

static void number(void)
{
	bool zero;

	at += text[at] == '-';
	zero = text[at] == '0';
	if (digits() > 1 && zero)
		refuse("a number that begins with 0");
	if (text[at] == '.') {
		at++;
		(void)digits();
	}
	if (text[at] == 'e' || text[at] == 'E') {
		at++;
		at += text[at] == '+' || text[at] == '-';
		(void)digits();
	}
}

/* Is the path KEY.NUMBER.REST of a socket's? Its number is of no interest. */
static bool is_of_socket(const char *rest, bool beginning)
{
	const char *key = strstr(path, "sockets.");
	const char *end = key ? key + strlen("sockets.") : "";

	end += strspn(end, "0123456789");
	return *end == '.' &&
	       (beginning ? strncmp(end, rest, strlen(rest)) : strcmp(end, rest)) == 0;
}

static void keep(char room[32], const char *value, size_t length)
{
	if (length >= 32)
		refuse("too long a number");
	memcpy(room, value, length);
	room[length] = '\0';
}

static void say(const char *value, size_t length)
{
	const char *last = strrchr(path, '.');

	if (!owners) {
		(void)printf("%s\t%.*s\n", path, (int)length, value);
		return;
	}
	if (is_of_socket(".inode", false))
		keep(inode, value, length);
	if (!is_of_socket(".owners.", true) || !last)
		return;
	if (strcmp(last, ".pid") == 0)
		keep(pid, value, length);
	else if (strstr(path, ".fds."))
		(void)printf("%s %s %.*s\n", inode, pid, (int)length, value);
}

static void scalar(void)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t begin = at;

	if (text[at] == '"') {
		string();
	} else if (text[at] == '-' || (text[at] >= '0' && text[at] <= '9')) {
		number();
	} else {
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && at == begin; i++)
			if (strncmp(text + at, words[i], strlen(words[i])) == 0)
				at += strlen(words[i]);
		if (at == begin)
			refuse("no value");
	}
	say(text + begin, at - begin);
}

/* The path with one more step. */
static void step_in(size_t length, const char *step, size_t step_length)
{
	if (length + step_length + 2 > sizeof(path))
		refuse("too deep or too long names");
	if (length > 0)
		path[length++] = '.';
	memcpy(path + length, step, step_length);
	path[length + step_length] = '\0';
}

/* The key of a member, or the number of an element. */
static void name(size_t length, bool object, size_t place)
{
	char count[32];
	size_t begin;

	if (!object) {
		(void)snprintf(count, sizeof(count), "%zu", place);
		step_in(length, count, strlen(count));
		return;
	}
	skip_space();
	begin = at + 1;
	string();
	step_in(length, text + begin, at - 1 - begin);
	skip_space();
	expect(':');
}

static void value(int depth)
{
	size_t length = strlen(path), count = 0;
	bool object;
	char end;

	skip_space();
	if (text[at] != '{' && text[at] != '[') {
		scalar();
		return;
	}
	if (depth == DEPTH_MAX)
		refuse("too deep");
	object = text[at] == '{';
	end = object ? '}' : ']';
	at++;
	skip_space();
	while (text[at] != end || count > 0) {
		name(length, object, count++);
		value(depth + 1);
		path[length] = '\0';
		skip_space();
		if (text[at] == end)
			break;
		expect(',');
	}
	at++;
}

int main(int count, char **args)
{
	size_t texts = 0;

	if (count != 2 || (strcmp(args[1], "flat") && strcmp(args[1], "owners"))) {
		(void)fprintf(stderr, "usage: robust_json flat|owners <TEXT\n");
		return 2;
	}
	owners = strcmp(args[1], "owners") == 0;
	read_all();
	for (skip_space(); at < size; skip_space(), texts++) {
		path[0] = '\0';
		if (texts > 0)
			(void)snprintf(path, sizeof(path), "%zu:", texts);
		value(0);
	}
	if (texts == 0)
		refuse("nothing");
	free(text);
	return 0;
}
