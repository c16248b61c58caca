/* SPDX-License-Identifier: MIT */
/* past.c - asks a duplicate of a foreign descriptor what its connection was. */
#include "observe/past.h"

#include "observe/namespace.h"
#include "observe/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

#define PATH_BYTES 64

/* A client has got SYN+ACK alone before an RST, or an RST alone: only the second segment proves a
   connection. For kernels before 4.18, which do not count what was delivered. */
#define SEGMENTS_CONNECTED 2

/* Does the descriptor refer to this socket? Reading the link touches no file system. */
static int check_link(const char *path, pid_t pid, uint64_t inode)
{
	uint64_t there = 0;
	int error = lai_procfs_socket(AT_FDCWD, path, &there), directory;

	if (error == -ESRCH && (directory = lai_procfs_open(pid)) >= 0) {
		(void)close(directory);
		return -EBADF;
	}
	return error == 1 || (error == 0 && there != inode) ? -EBADF : error;
}

/* -ENOPROTOOPT: no TCP; otherwise the family, by the protocol's name. */
static int family_of(const char *path)
{
	char name[LAI_PROTOCOL_MAX];
	int error = lai_procfs_protocol(path, name);

	if (error)
		return error == -ENOENT ? -EBADF : -ENOPROTOOPT;
	if (strcmp(name, "TCP") == 0)
		return AF_INET;
	return strcmp(name, "TCPv6") == 0 ? AF_INET6 : -ENOPROTOOPT;
}

/* Our own descriptor of the foreign one. -EACCES: not permitted, or a kernel before 5.6. */
static int duplicate(pid_t pid, int32_t fd)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0), copy;

	if (process < 0)
		return errno == ENOSYS ? -EACCES : lai_procfs_error(errno);
	copy = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	if (copy < 0)
		copy = errno == ENOSYS ? -EACCES : lai_procfs_error(errno);
	(void)close(process);
	return copy;
}

/*
 * The handshake counts as something delivered, on both sides, so a connection over which not a byte
 * went is told from a connect() that was refused. A disconnect (connect() to AF_UNSPEC) clears all.
 */
static enum lai_past past_of(const struct tcp_info *info, socklen_t length)
{
	bool counts = length >= offsetof(struct tcp_info, tcpi_delivered) + sizeof(uint32_t);

	if (info->tcpi_bytes_acked > 0 || info->tcpi_bytes_received > 0)
		return LAI_PAST_CONNECTED;
	if (counts ? info->tcpi_delivered > 0 : info->tcpi_segs_in >= SEGMENTS_CONNECTED)
		return LAI_PAST_CONNECTED;
	return LAI_PAST_NONE;
}

/* Which network namespace the socket is of; needs CAP_NET_ADMIN there. 0: not told. */
static uint64_t namespace_of_socket(int copy)
{
	int name_space = ioctl(copy, SIOCGSKNS);
	struct stat status = {0};

	if (name_space < 0)
		return 0;
	(void)fstat(name_space, &status);
	(void)close(name_space);
	return status.st_ino;
}

static int ask(int copy, uint64_t inode, struct lai_past_fact *fact)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);
	struct stat status;

	if (fstat(copy, &status) < 0 || !S_ISSOCK(status.st_mode) || status.st_ino != inode)
		return -EBADF;
	if (getsockopt(copy, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		return 0;
	fact->state = info.tcpi_state;
	fact->namespace_inode = namespace_of_socket(copy);
	if (fact->state == LAI_TCP_CLOSE)
		fact->past = past_of(&info, length);
	return 0;
}

int lai_past_of(pid_t pid, int32_t fd, uint64_t inode, struct lai_past_fact *fact)
{
	struct lai_past_fact result = {.past = LAI_PAST_UNKNOWN, .state = LAI_TCP_NONE};
	char path[PATH_BYTES];
	int error, copy;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	error = check_link(path, pid, inode);
	if (error)
		return error;
	result.family = family_of(path);
	if (result.family < 0)
		return result.family;
	copy = duplicate(pid, fd);
	if (copy >= 0) {
		error = ask(copy, inode, &result);
		(void)close(copy);
	} else if (copy != -EACCES) {
		error = copy;
	}
	if (error)
		return error;
	if (result.namespace_inode == 0) /* nearly always the same */
		result.namespace_inode = lai_namespace_of_process(pid);
	*fact = result;
	return 0;
}
