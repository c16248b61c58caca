/* SPDX-License-Identifier: MIT */
#include "disk/store_place.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum lai_store_place lai_store_place(int fd, int directory_fd, const char *name, bool follow)
{
	struct stat ours, theirs;

	if (fstat(fd, &ours) != 0)
		return LAI_STORE_THERE;
	if (ours.st_nlink == 0)
		return LAI_STORE_REMOVED;
	if (fstatat(directory_fd, name, &theirs, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || errno == ENOTDIR ? LAI_STORE_MOVED : LAI_STORE_THERE;
	return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino ? LAI_STORE_THERE
									    : LAI_STORE_MOVED;
}

const char *lai_store_place_words(enum lai_store_place place)
{
	return place == LAI_STORE_MOVED ? "was moved away" : "was removed";
}

void lai_store_place_tell(char **notice, enum lai_store_place place, const char *name)
{
	if (!*notice)
		(void)lai_error(notice, 0, "%s %s%s: going on with a new one", name,
				lai_store_place_words(place),
				place == LAI_STORE_REMOVED ? ", with the records in it" : "");
}
