/* SPDX-License-Identifier: MIT */
/*
 * users.h - who may log in: a file of "name:hash" lines; hashes as crypt(5) knows them.
 *
 * Empty lines and lines that begin with '#' are passed over. Checking takes as long for a name that
 * is not in the file as for one that is: it is compared with a hash that nothing matches, made the
 * way that most of the file's are.
 */
#ifndef LAI_SERVE_USERS_H
#define LAI_SERVE_USERS_H

#include "base/slice.h"

struct lai_users;

/* Without NUL. A name stands in a header of STOMP and in a line of a file; the password is long
   enough for a generated one and for a phrase, and as long as crypt(3) takes. */
#define LAI_USERS_NAME_MAX 63
#define LAI_USERS_PASSWORD_MAX 511

/* What is wrong with it, as half a sentence ("is empty"); NULL: nothing. */
const char *lai_users_name_wrong(struct lai_slice name);
const char *lai_users_password_wrong(struct lai_slice password);
/* The same of a hash: not of a method that crypt(3) has here, or cut off. */
const char *lai_users_hash_wrong(const char *hash);

/* Reads text. 0; -EINVAL: *error is a sentence that names the line, to be released with free();
   -ENOMEM: *error is NULL. */
int lai_users_new(struct lai_users **users, struct lai_slice text, char **error);
void lai_users_free(struct lai_users *users); /* NULL is fine */
size_t lai_users_count(const struct lai_users *users);

/* The hash to compare with: of this user, or of nobody. *known tells which, after the comparison. */
const char *lai_users_hash(const struct lai_users *users, const char *name, bool *known);
/* Whether password has this hash; slow on purpose (crypt(3), tens of ms). Any thread may call it. */
bool lai_users_check(const char *hash, const char *password);

#endif
