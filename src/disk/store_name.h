/* SPDX-License-Identifier: MIT */
/* store_name.h - file names for destinations: whatever a destination is called, its file stays in
 * the directory, is not hidden, and is no other destination's. */
#ifndef LAI_DISK_STORE_NAME_H
#define LAI_DISK_STORE_NAME_H

#include "base/slice.h"

/* Of "NAME.log", with the final NUL; leaves a rotated file's number room below NAME_MAX. */
#define LAI_STORE_NAME_MAX 224

/*
 * Writes "NAME.log", NAME as store.h says. Two destinations never have the same one (two long ones:
 * as surely as SHA-256 is one).
 */
void lai_store_name(char name[LAI_STORE_NAME_MAX], struct lai_slice destination);

#endif
