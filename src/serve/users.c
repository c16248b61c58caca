/* SPDX-License-Identifier: MIT */
#include "serve/users.h"
#include "base/error.h"

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

/* The digest of yescrypt (and of gost-yescrypt): 256 bits in crypt's base 64, behind the last '$'. */
#define YESCRYPT_DIGEST_CHARS 43
/* How many characters of a digest are exchanged to make one that nothing has: 2^48 of them. */
#define EXCHANGED_CHARS 8
/* For a file without users; like every hash of nobody its end is changed before it is used. */
#define NOBODY "$y$j9T$g3qQo3qMfd16ixaMjFKSi.$AGqYOZw9Q2ls994dJ970ABsVHMJL/TQNSed20jIC2X4"

struct user {
	char *name, *hash; /* both in lai_users.text */
	size_t line;
};

struct lai_users {
	char *text; /* the file, with NULs for separators */
	size_t text_bytes;
	struct user *list; /* by name */
	size_t count;
	char nobody[CRYPT_OUTPUT_SIZE];
};

/* ---- what a name, a password and a hash may be -------------------------------------------- */

static bool has_control(struct lai_slice text)
{
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
			return true;
	return false;
}

const char *lai_users_name_wrong(struct lai_slice name)
{
	if (name.size == 0)
		return "is empty";
	if (name.size > LAI_USERS_NAME_MAX)
		return "is longer than 63 bytes";
	if (has_control(name))
		return "has a control character in it";
	if (memchr(name.data, ':', name.size))
		return "has a ':' in it, which ends a name in the file of users";
	if (name.data[0] == '#')
		return "begins with '#', which begins a comment in the file of users";
	if (name.data[0] == ' ' || name.data[name.size - 1] == ' ')
		return "begins or ends with a space";
	return NULL;
}

const char *lai_users_password_wrong(struct lai_slice password)
{
	if (password.size == 0)
		return "is empty";
	if (password.size > LAI_USERS_PASSWORD_MAX)
		return "is longer than 511 bytes";
	for (size_t i = 0; i < password.size; i++)
		if (password.data[i] == '\r' || password.data[i] == '\n' || !password.data[i])
			return "has a line break or a zero byte in it, which STOMP cannot carry";
	return NULL;
}

/*
 * A hash that takes minutes would keep every other login waiting. The bounds are tens of times what
 * their tools write by default: yescrypt's letter behind "$y$j" doubles with each step ('9'), the
 * rounds of SHA (5,000), the logarithm of bcrypt (5 to 12).
 */
#define YESCRYPT_COST_MAX 'E'
#define SHA_ROUNDS_MAX 5000000
#define BCRYPT_COST_MAX 16

static bool costs_too_much(const char *hash)
{
	if (strncmp(hash, "$y$j", 4) == 0)
		return hash[4] > YESCRYPT_COST_MAX;
	if (strncmp(hash, "$gy$j", 5) == 0)
		return hash[5] > YESCRYPT_COST_MAX;
	if (strncmp(hash, "$5$rounds=", 10) == 0 || strncmp(hash, "$6$rounds=", 10) == 0)
		return strtoul(hash + 10, NULL, 10) > SHA_ROUNDS_MAX;
	if (strncmp(hash, "$2", 2) == 0 && hash[2] && hash[3] == '$')
		return strtoul(hash + 4, NULL, 10) > BCRYPT_COST_MAX;
	return false;
}

const char *lai_users_hash_wrong(const char *hash)
{
	const char *digest = strrchr(hash, '$');
	size_t length = strlen(hash);

	if (length == 0)
		return "is missing";
	if (length >= CRYPT_OUTPUT_SIZE)
		return "is longer than any of crypt(5)";
	if (strcspn(hash, ":;*!\\ ") != length || has_control(lai_slice_of(hash)))
		return "has a character in it that no hash of crypt(5) has";
	/* Traditional hashes without '$' know eight characters, and a plain password looks like one. */
	if (hash[0] != '$')
		return "is none: one of crypt(5) begins with '$'; lastack passwd makes them";
	switch (crypt_checksalt(hash)) {
	case CRYPT_SALT_INVALID:
	case CRYPT_SALT_METHOD_DISABLED: return "is of no method that crypt(5) knows here";
	default: break;
	}
	if (costs_too_much(hash))
		return "costs so much that one login would keep all others waiting";
	if ((strncmp(hash, "$y$", 3) == 0 || strncmp(hash, "$gy$", 4) == 0) &&
	    strlen(digest + 1) != YESCRYPT_DIGEST_CHARS)
		return "is cut off: its last part is not 43 characters long";
	return NULL;
}

/* ---- reading the file ------------------------------------------------------------------------ */

static int refuse(char **error, size_t line, const char *subject, const char *name,
		  const char *wrong)
{
	if (!name)
		return lai_error(error, -EINVAL, "line %zu: %s %s", line, subject, wrong);
	return lai_error(error, -EINVAL, "line %zu: %s of '%.63s' %s", line, subject, name, wrong);
}

/* Cuts a line into name and hash. */
static int read_line(struct user *user, char *line, size_t number, char **error)
{
	char *colon = strchr(line, ':');
	const char *wrong;

	if (!colon)
		return refuse(error, number, "the line", NULL,
			      "is not 'name:hash'; lastack passwd writes such lines");
	*colon = '\0';
	wrong = lai_users_name_wrong(lai_slice_of(line));
	if (wrong)
		return refuse(error, number, "the name", NULL, wrong);
	wrong = lai_users_hash_wrong(colon + 1);
	if (wrong)
		return refuse(error, number, "the hash", line, wrong);
	*user = (struct user){.name = line, .hash = colon + 1, .line = number};
	return 0;
}

static int read_lines(struct lai_users *users, char **error)
{
	char *line = users->text, *end = users->text + users->text_bytes;

	for (size_t number = 1; line < end; number++) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t length = (size_t)((stop ? stop : end) - line);
		int result;

		line[length] = '\0'; /* the text has room for one more */
		if (strlen(line) != length)
			return refuse(error, number, "the line", NULL, "has a zero byte in it");
		if (length > 0 && line[length - 1] == '\r')
			line[length - 1] = '\0';
		if (line[0] && line[0] != '#') {
			result = read_line(&users->list[users->count], line, number, error);
			if (result)
				return result;
			users->count++;
		}
		line += length + 1;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct user *first = a, *second = b;
	int names = strcmp(first->name, second->name);

	if (names)
		return names;
	return (first->line > second->line) - (first->line < second->line);
}

static int sort(struct lai_users *users, char **error)
{
	if (users->count > 0)
		qsort(users->list, users->count, sizeof(users->list[0]), compare);
	for (size_t i = 1; i < users->count; i++)
		if (strcmp(users->list[i - 1].name, users->list[i].name) == 0)
			return refuse(error, users->list[i].line, "the name", users->list[i].name,
				      "stands in the file twice");
	return 0;
}

/* ---- nobody ----------------------------------------------------------------------------------- */

/* The method and its cost: "$y$j9T$". */
static size_t cost_chars(const char *hash)
{
	const char *end = strchr(hash + 1, '$');

	end = end ? strchr(end + 1, '$') : NULL;
	return end ? (size_t)(end - hash) + 1 : strlen(hash);
}

static bool same_cost(const char *a, const char *b)
{
	size_t chars = cost_chars(a);

	return chars == cost_chars(b) && memcmp(a, b, chars) == 0;
}

/* Of the majority, if there is one (Boyer and Moore's vote), else of any. */
static const char *usual_hash(const struct lai_users *users)
{
	const char *usual = NULL;
	size_t votes = 0;

	for (size_t i = 0; i < users->count; i++) {
		const char *hash = users->list[i].hash;

		if (votes == 0)
			usual = hash;
		if (same_cost(usual, hash))
			votes++;
		else
			votes--;
	}
	return usual;
}

/* A hash that is computed like the others and that no password has: the end of its digest is changed. */
static void make_nobody(struct lai_users *users)
{
	const char *usual = usual_hash(users);
	char *nobody = users->nobody;
	size_t length;

	strcpy(nobody, usual ? usual : NOBODY);
	length = strlen(nobody);
	for (size_t i = length > EXCHANGED_CHARS ? length - EXCHANGED_CHARS : 0; i < length; i++)
		nobody[i] = nobody[i] == '.' ? '/' : '.';
}

/* ---- users ------------------------------------------------------------------------------------ */

static size_t lines_of(struct lai_slice text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.size; i++)
		lines += text.data[i] == '\n';
	return lines;
}

int lai_users_new(struct lai_users **users, struct lai_slice text, char **error)
{
	struct lai_users *new = calloc(1, sizeof(*new));
	int result = -ENOMEM;

	if (error)
		*error = NULL;
	if (!new)
		return -ENOMEM;
	new->text_bytes = text.size;
	new->text = malloc(text.size + 1);
	new->list = calloc(lines_of(text), sizeof(new->list[0]));
	if (!new->text || !new->list)
		goto out;
	if (text.size > 0)
		memcpy(new->text, text.data, text.size);
	result = read_lines(new, error);
	if (result == 0)
		result = sort(new, error);
	if (result)
		goto out;
	make_nobody(new);
	*users = new;
	return 0;
out:
	lai_users_free(new);
	return result;
}

void lai_users_free(struct lai_users *users)
{
	if (!users)
		return;
	if (users->text)
		explicit_bzero(users->text, users->text_bytes);
	explicit_bzero(users->nobody, sizeof(users->nobody));
	free(users->text);
	free(users->list);
	free(users);
}

size_t lai_users_count(const struct lai_users *users)
{
	return users->count;
}

const char *lai_users_hash(const struct lai_users *users, const char *name, bool *known)
{
	size_t low = 0, high = users->count;

	*known = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, users->list[middle].name);

		if (order == 0) {
			*known = true;
			return users->list[middle].hash;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return users->nobody;
}

/* Looks at every character of both, wherever they begin to differ. */
static bool equal_in_constant_time(const char *a, const char *b)
{
	size_t length = strlen(a);
	unsigned difference = 0;

	if (length != strlen(b))
		return false; /* the length is the method's, and no secret */
	for (size_t i = 0; i < length; i++)
		difference |= (unsigned)(unsigned char)a[i] ^ (unsigned char)b[i];
	return difference == 0;
}

bool lai_users_check(const char *hash, const char *password)
{
	/* 32 KiB: too much for the stack of a thread that somebody else made. */
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *made;
	bool same;

	if (!data)
		return false;
	made = crypt_rn(password, hash, data, sizeof(*data));
	same = made && equal_in_constant_time(made, hash);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return same;
}
