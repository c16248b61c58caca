/* SPDX-License-Identifier: MIT */
/*
 * A line of the users' file. It stands here and not beside the users, since a salt is drawn from the
 * system's random numbers (crypt_gensalt() does it), which serve may not.
 */
#include "base/error.h"
#include "base/text.h"
#include "serve/users.h"

#include <lastack/server.h>

#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

#define METHOD "$y$" /* yescrypt, at its usual cost: Debian's own choice for passwords */

/* 0 or a negative errno; *line is name:hash. */
static int join(char **line, const char *name, const char *hash)
{
	struct lai_text text = LAI_TEXT_INIT(LAI_USERS_NAME_MAX + 1 + CRYPT_OUTPUT_SIZE);
	int result;

	lai_text_append(&text, "%s:%s", name, hash);
	result = lai_text_steal(&text, line);
	lai_text_done(&text);
	return result;
}

int la_user_line(char **line, const char *name, const char *password, char **error)
{
	const char *wrong = lai_users_name_wrong(lai_slice_of(name));
	char salt[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data;
	int result = 0;

	if (error)
		*error = NULL;
	if (wrong)
		return lai_error(error, -EINVAL, "the name %s", wrong);
	wrong = lai_users_password_wrong(lai_slice_of(password));
	if (wrong)
		return lai_error(error, -EINVAL, "the password %s", wrong);
	if (!crypt_gensalt_rn(METHOD, 0, NULL, 0, salt, sizeof(salt)))
		return -errno;
	data = calloc(1, sizeof(*data));
	if (!data)
		return -ENOMEM;
	if (!crypt_rn(password, salt, data, sizeof(*data)))
		result = errno ? -errno : -EIO;
	else
		result = join(line, name, data->output);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return result;
}
