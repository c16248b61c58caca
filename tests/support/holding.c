/* SPDX-License-Identifier: MIT */
/* holding.c - sockets and processes for tests of holder.h. */
#include "holding.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far more than a child ever takes, on a machine that has much else to do. */
#define READY_MS 30000

struct t_holding *t_holding;

int t_holding_setup(void **state)
{
	(void)state;
	t_holding = mmap(NULL, sizeof(*t_holding), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return t_holding == MAP_FAILED || pipe(t_holding->ready) < 0 || pipe(t_holding->hold) < 0
		       ? -1
		       : 0;
}

int t_holding_teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < t_holding->child_count; i++) {
		kill(t_holding->children[i], SIGKILL);
		waitpid(t_holding->children[i], NULL, 0);
	}
	for (int i = 0; i < 2; i++) {
		close(t_holding->ready[i]);
		close(t_holding->hold[i]);
	}
	return munmap(t_holding, sizeof(*t_holding));
}

uint64_t t_holding_inode(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 ? stat.st_ino : 0;
}

int t_holding_socket(int family)
{
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd >= 0)
		t_holding->tcp[t_holding->tcp_count++] = t_holding_inode(fd);
	return fd;
}

void t_holding_tell(void)
{
	char byte = 0;

	if (write(t_holding->ready[1], &byte, 1) != 1)
		_exit(1);
}

void t_holding_stay(void)
{
	char byte;

	t_holding_tell();
	(void)!read(t_holding->hold[0], &byte, 1);
}

pid_t t_holding_child(void (*work)(void))
{
	struct pollfd told = {.fd = t_holding->ready[0], .events = POLLIN};
	char byte;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(t_holding->hold[1]);
		work();
		_exit(0);
	}
	if (pid < 0)
		return -1;
	t_holding->children[t_holding->child_count++] = pid;
	return poll(&told, 1, READY_MS) == 1 && read(told.fd, &byte, 1) == 1 ? pid : -1;
}

static bool is_ours(pid_t pid)
{
	for (unsigned i = 0; i < t_holding->child_count; i++)
		if (t_holding->children[i] == pid)
			return true;
	return pid == getpid();
}

static bool is_tcp_of_ours(uint64_t inode)
{
	for (unsigned i = 0; i < t_holding->tcp_count; i++)
		if (t_holding->tcp[i] == inode)
			return true;
	return false;
}

void t_holding_keep(struct lai_holders *holders)
{
	size_t kept = 0;

	for (size_t i = 0; i < holders->count; i++)
		if (is_ours((pid_t)holders->list[i].pid) && is_tcp_of_ours(holders->list[i].inode))
			holders->list[kept++] = holders->list[i];
	holders->count = kept;
	kept = 0;
	for (size_t i = 0; i < holders->set_count; i++)
		if (is_ours((pid_t)holders->sets[i].pid))
			holders->sets[kept++] = holders->sets[i];
	holders->set_count = kept;
}

bool t_holds(const struct lai_holders *holders, pid_t pid, int fd, uint64_t inode)
{
	size_t at = lai_holders_find(holders->list, holders->count, inode);

	for (; at < holders->count && holders->list[at].inode == inode; at++)
		if (holders->list[at].pid == (uint32_t)pid && holders->list[at].fd == (uint32_t)fd)
			return true;
	return false;
}
