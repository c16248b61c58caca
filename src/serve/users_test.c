/* SPDX-License-Identifier: MIT */
/* The users' file, line by line; who gets in with what; and the lines that we write ourselves. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "serve/users.h"

#include <lastack/server.h>

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* As long as a digest of yescrypt. */
#define DIGEST "0123456789012345678901234567890123456789012"

static void hash_of(char *text, size_t size, const char *prefix, unsigned long cost,
		    const char *password)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];

	assert_non_null(data);
	assert_non_null(crypt_gensalt_rn(prefix, cost, NULL, 0, salt, sizeof(salt)));
	assert_non_null(crypt_rn(password, salt, data, sizeof(*data)));
	assert_true((size_t)snprintf(text, size, "%s", data->output) < size);
	free(data);
}

static const struct {
	const char *text;
	const char *wrong; /* part of the sentence; NULL: it is fine */
	size_t count;
} files[] = {
	{"", NULL, 0},
	{"\n\n# nobody yet\n#a:b\n", NULL, 0},
	{"a:$y$j9T$salt$" DIGEST, NULL, 1},
	{"a:$y$j9T$salt$" DIGEST "\r\n\r\nb:$y$j9T$salt$" DIGEST "\r\n", NULL, 2},
	{"a b:$y$j9T$salt$" DIGEST "\n", NULL, 1},
	{"ann\n", "line 1: the line is not 'name:hash'", 0},
	{"\n:x\n", "line 2: the name is empty", 0},
	{"a\tb:x\n", "line 1: the name has a control character", 0},
	{" a:x\n", "line 1: the name begins or ends with a space", 0},
	{"0123456789012345678901234567890123456789012345678901234567890123:x\n",
	 "the name is longer than 63 bytes", 0},
	{"a:\n", "line 1: the hash of 'a' is missing", 0},
	{"a:secret\n", "line 1: the hash of 'a' is none: one of crypt(5) begins", 0},
	{"a:$none$x\n", "line 1: the hash of 'a' is of no method", 0},
	{"a:!\n", "the hash of 'a' has a character in it", 0},
	{"a:$y$j9T$salt$" DIGEST ":1000\n", "the hash of 'a' has a character in it", 0},
	{"a:$y$j9T$salt$0123456789\n", "the hash of 'a' is cut off", 0},
	{"a:$y$j9T$salt$" DIGEST "\nb:$y$j9T$salt$" DIGEST "\na:$y$j9T$tlas$" DIGEST "\n",
	 "line 3: the name of 'a' stands in the file twice", 0},
};

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct lai_users *users = NULL;
		char *error = NULL;
		int result = lai_users_new(&users, lai_slice_of(files[i].text), &error);

		if (files[i].wrong) {
			assert_int_equal(result, -EINVAL);
			assert_null(users);
			if (!strstr(error, files[i].wrong))
				fail_msg("row %zu says '%s'", i, error);
		} else {
			if (result != 0)
				fail_msg("row %zu: %s", i, error);
			assert_null(error);
			assert_int_equal(lai_users_count(users), files[i].count);
		}
		free(error);
		lai_users_free(users);
	}
}

static void test_zero_byte(void **state)
{
	static const char text[] = "a:$y$j9T$salt$" DIGEST "\nb\0c:x\n";
	struct lai_users *users;
	char *error;

	(void)state;
	assert_int_equal(lai_users_new(&users, (struct lai_slice){text, sizeof(text) - 1}, &error),
			 -EINVAL);
	assert_non_null(strstr(error, "line 2: the line has a zero byte"));
	free(error);
}

static bool logs_in(const struct lai_users *users, const char *name, const char *password)
{
	bool known, right = lai_users_check(lai_users_hash(users, name, &known), password);

	return known && right;
}

static void test_who_gets_in(void **state)
{
	char one[CRYPT_OUTPUT_SIZE], two[CRYPT_OUTPUT_SIZE], text[2 * CRYPT_OUTPUT_SIZE + 32];
	struct lai_users *users;
	char *error;

	(void)state;
	hash_of(one, sizeof(one), "$y$", 1, "one");
	hash_of(two, sizeof(two), "$5$", 1000, "two");
	snprintf(text, sizeof(text), "zoe:%s\nann:%s\n", two, one);
	assert_int_equal(lai_users_new(&users, lai_slice_of(text), &error), 0);
	assert_true(logs_in(users, "ann", "one"));
	assert_true(logs_in(users, "zoe", "two"));
	assert_false(logs_in(users, "ann", "two"));
	assert_false(logs_in(users, "ann", "on"));
	assert_false(logs_in(users, "ann", "one "));
	assert_false(logs_in(users, "ann", ""));
	assert_false(logs_in(users, "an", "one"));
	assert_false(logs_in(users, "annn", "one"));
	assert_false(logs_in(users, "", "one"));
	lai_users_free(users);
}

/* Nobody's hash costs what the others cost, and no password has it: not even that of another. */
static void test_nobody(void **state)
{
	static const struct {
		const char *prefix;
		unsigned long cost;
	} methods[] = {{"$y$", 1}, {"$5$", 1000}, {"$2b$", 4}};

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		char hash[CRYPT_OUTPUT_SIZE], text[3 * CRYPT_OUTPUT_SIZE];
		struct crypt_data *data = calloc(1, sizeof(*data));
		struct lai_users *users;
		const char *nobody;
		char *error;
		bool known = true;

		assert_non_null(data);
		hash_of(hash, sizeof(hash), methods[i].prefix, methods[i].cost, "one");
		/* Of three the two alike decide. */
		snprintf(text, sizeof(text), "b:$1$abcdefgh$0123456789012345678901\na:%s\nc:%s\n",
			 hash, hash);
		assert_int_equal(lai_users_new(&users, lai_slice_of(text), &error), 0);
		nobody = lai_users_hash(users, "nobody", &known);
		assert_false(known);
		assert_null(lai_users_hash_wrong(nobody));
		assert_int_equal(strlen(nobody), strlen(hash));
		assert_memory_equal(nobody, hash, strlen(methods[i].prefix));
		assert_false(lai_users_check(nobody, "one"));
		/* It is really computed: the answer is a hash, and no failure at once. */
		assert_non_null(crypt_rn("one", nobody, data, sizeof(*data)));
		assert_int_equal(strlen(data->output), strlen(nobody));
		lai_users_free(users);
		free(data);
	}
}

static void test_nobody_of_empty_file(void **state)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	struct lai_users *users;
	char *error;
	bool known;

	(void)state;
	assert_non_null(data);
	assert_int_equal(lai_users_new(&users, (struct lai_slice){0}, &error), 0);
	assert_non_null(
		crypt_rn("nobody", lai_users_hash(users, "x", &known), data, sizeof(*data)));
	assert_string_not_equal(data->output, lai_users_hash(users, "x", &known));
	assert_false(lai_users_check(lai_users_hash(users, "x", &known), "nobody"));
	lai_users_free(users);
	free(data);
}

static void test_own_line(void **state)
{
	struct lai_users *users;
	char *line, *again, *error = NULL;

	(void)state;
	assert_int_equal(la_user_line(&line, "ann", "p\xc3\xa4ss word", &error), 0);
	assert_int_equal(la_user_line(&again, "ann", "p\xc3\xa4ss word", &error), 0);
	assert_string_not_equal(line, again); /* another salt */
	assert_memory_equal(line, "ann:$y$", 7);
	assert_int_equal(lai_users_new(&users, lai_slice_of(line), &error), 0);
	assert_true(logs_in(users, "ann", "p\xc3\xa4ss word"));
	assert_false(logs_in(users, "ann", "p\xc3\xa4ss worD"));
	lai_users_free(users);
	free(line);
	free(again);
}

static void test_bad_lines(void **state)
{
	char longest[LAI_USERS_PASSWORD_MAX + 2];
	static const struct {
		const char *name, *password, *wrong;
	} rows[] = {
		{"", "x", "the name is empty"},
		{"a:b", "x", "the name has a ':' in it"},
		{"a\nb", "x", "the name has a control character"},
		{"#a", "x", "the name begins with '#'"},
		{"a ", "x", "the name begins or ends with a space"},
		{"a", "", "the password is empty"},
		{"a", "x\n", "the password has a line break"},
		{"a", "x\ry", "the password has a line break"},
		{"a", NULL, "the password is longer than 511 bytes"},
	};

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *line = NULL, *error = NULL;

		assert_int_equal(la_user_line(&line, rows[i].name,
					      rows[i].password ? rows[i].password : longest,
					      &error),
				 -EINVAL);
		assert_null(line);
		assert_non_null(strstr(error, rows[i].wrong));
		free(error);
	}
	assert_null(lai_users_password_wrong((struct lai_slice){longest, LAI_USERS_PASSWORD_MAX}));
	assert_non_null(lai_users_password_wrong((struct lai_slice){"a\0b", 3}));
}

static void test_names(void **state)
{
	(void)state;
	for (int i = 0; i < LA_SESSION_END_COUNT; i++) {
		assert_true(strlen(la_session_end_name((enum la_session_end)i)) > 1);
		assert_true(strlen(la_session_end_sentence((enum la_session_end)i)) > 10);
	}
	assert_string_equal(la_session_end_name(LA_SESSION_LOGIN_REJECTED), "login-rejected");
	assert_string_equal(la_session_end_name(LA_SESSION_END_COUNT), "?");
	assert_string_equal(la_words_name(LA_WORDS_NONE), "none");
	assert_string_equal(la_words_name(LA_WORDS_ACKED), "acked");
	assert_string_equal(la_words_name(LA_WORDS_CONSUMED), "consumed");
	assert_string_equal(la_words_name(LA_WORDS_UNCONFIRMED), "unconfirmed");
	assert_string_equal(la_words_name((enum la_words)UINT32_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{.name = "each file is read, or refused with its line", .test_func = test_files},
		{.name = "a zero byte is no line break", .test_func = test_zero_byte},
		{.name = "who gets in", .test_func = test_who_gets_in},
		{.name = "nobody's hash is like the others", .test_func = test_nobody},
		{.name = "and one of an empty file is slow too",
		 .test_func = test_nobody_of_empty_file},
		{.name = "a line of ours lets its user in", .test_func = test_own_line},
		{.name = "names and passwords that will not do", .test_func = test_bad_lines},
		{.name = "how sessions end has names", .test_func = test_names},
	};

	return cmocka_run_group_tests_name("serve.users", tests, NULL, NULL);
}
