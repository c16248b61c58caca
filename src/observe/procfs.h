/* SPDX-License-Identifier: MIT */
/*
 * procfs.h - reads files and links below /proc/PID, and keeps apart why one cannot be read.
 *
 * A process is named by a descriptor of its directory: once that is open, a process that ended and
 * left its pid to another one gives -ESRCH and never the other one's facts.
 */
#ifndef LAI_OBSERVE_PROCFS_H
#define LAI_OBSERVE_PROCFS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "task/TID/fdinfo/FD" with two numbers of 10 digits, and what is shorter. */
#define LAI_PROCFS_NAME_MAX 48

/*
 * How /proc numbers processes: 1: as our own system calls do; 0: otherwise, being mounted for
 * another pid namespace; -ENODEV: /proc is no procfs at all; another negative errno.
 */
int lai_procfs_is_ours(void);

/* A descriptor of /proc/PID, for close(). -ESRCH: no such process; -EACCES: it is hidden (hidepid),
   or there is no /proc; -EMFILE and the like. */
int lai_procfs_open(pid_t pid);

/*
 * The same for what is below fd/, fdinfo/ and ns/ and for cmdline: if the first thread has ended
 * and others live, /proc/PID shows none of these; it is the directory of one that lives then.
 */
int lai_procfs_open_files(pid_t pid);

/* Does the process of this directory still exist? A zombie does. */
bool lai_procfs_exists(int directory);

/* The entries of a directory below it, for closedir(); NULL: errno says why. */
DIR *lai_procfs_list(int directory, const char *name);

/*
 * The beginning of a file, size - 1 bytes at most, with a NUL behind it. Returns the length;
 * -ESRCH: the process or the file is gone; -EACCES: not permitted; another negative errno.
 */
ssize_t lai_procfs_peek(int directory, const char *name, char *buffer, size_t size);

/* A whole file of any length and a NUL behind it; *text is for free(). Errors as above; -ENOMEM. */
int lai_procfs_read(int directory, const char *name, char **text, size_t *size);

/*
 * The inode of the socket behind a link of fd/. 0: *inode is it; 1: it leads to something else;
 * errors as of lai_procfs_peek(). Never touches the file itself, which may be of a dead server.
 */
int lai_procfs_socket(int directory, const char *name, uint64_t *inode);

/* "UNIX-STREAM" and the like. */
#define LAI_PROTOCOL_MAX 16

/*
 * The protocol of the socket behind a link of fd/, also when its connection is over: "TCP",
 * "TCPv6", "UNIX", ... sockfs keeps that name as an extended attribute. 0; a negative errno as it
 * came, of a file that is no socket too; name is "" then.
 */
int lai_procfs_protocol(const char *path, char name[LAI_PROTOCOL_MAX]);

/* Pure: N of "KIND:[N]", as the links of fd/ and ns/ have it. False: it is no such text. */
bool lai_procfs_parse_link(const char *text, const char *kind, uint64_t *number);

/* -ESRCH for whatever means that it is gone, -EACCES for whatever means not permitted. */
int lai_procfs_error(int error);

#endif
