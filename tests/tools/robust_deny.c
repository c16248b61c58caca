/* SPDX-License-Identifier: MIT */
/*
 * robust_deny.c - runs a program to which the kernel refuses some system calls, as an old kernel, a
 * container's profile or a host at its limits does.
 *
 *	robust_deny CALL=ERROR... -- PROGRAM ARGUMENT...
 *	robust_deny netlink=EPROTONOSUPPORT bpf=EPERM pidfd_getfd=EPERM -- lastack list
 *
 * CALL is a name of the table below, ERROR a name as of errno(3). 77: seccomp(2) is not to be had.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RULE_WORDS 5
#define RULES_MAX 8
#define EXIT_SKIP 77

static const struct call {
	const char *name;
	unsigned number;
	int first; /* only with this first argument; -1: whatever it is */
} calls[] = {
	{"bpf", SYS_bpf, -1},
	{"clone3", SYS_clone3, -1},
	{"kcmp", SYS_kcmp, -1},
	{"netlink", SYS_socket, AF_NETLINK},
	{"pidfd_getfd", SYS_pidfd_getfd, -1},
	{"pidfd_open", SYS_pidfd_open, -1},
	{"process_vm_readv", SYS_process_vm_readv, -1},
	{"recvmsg", SYS_recvmsg, -1},
	{"sendto", SYS_sendto, -1},
	{"setns", SYS_setns, -1},
	{"signalfd", SYS_signalfd4, -1},
};

static const struct {
	const char *name;
	unsigned number;
} errors[] = {
	{"EACCES", EACCES},   {"EAFNOSUPPORT", EAFNOSUPPORT},
	{"EAGAIN", EAGAIN},   {"EINVAL", EINVAL},
	{"EMFILE", EMFILE},   {"ENFILE", ENFILE},
	{"ENOBUFS", ENOBUFS}, {"ENOMEM", ENOMEM},
	{"ENOSYS", ENOSYS},   {"EPERM", EPERM},
	{"EPIPE", EPIPE},     {"EPROTONOSUPPORT", EPROTONOSUPPORT},
};

static struct sock_filter filter[RULES_MAX * RULE_WORDS + 2];
static unsigned short length;

static void add(struct sock_filter instruction)
{
	filter[length++] = instruction;
}

/* The number of the call is in the accumulator before and after. */
static void add_rule(const struct call *call, unsigned error)
{
	unsigned char skipped = call->first < 0 ? 1 : 4;

	add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, skipped));
	if (call->first >= 0) {
		add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, args)));
		add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call->first,
						 0, 1));
	}
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
	if (call->first >= 0)
		add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr)));
}

__attribute__((noreturn)) static void misuse(const char *word)
{
	(void)fprintf(stderr, "robust_deny: what is '%s'? CALL=ERROR... -- PROGRAM ...\n", word);
	exit(2);
}

static void read_rule(const char *word)
{
	size_t name = strcspn(word, "="), call = 0, error = 0;

	while (call < sizeof(calls) / sizeof(calls[0]) &&
	       (strlen(calls[call].name) != name || strncmp(calls[call].name, word, name) != 0))
		call++;
	while (error < sizeof(errors) / sizeof(errors[0]) && word[name] &&
	       strcmp(errors[error].name, word + name + 1) != 0)
		error++;
	if (call == sizeof(calls) / sizeof(calls[0]) || !word[name] ||
	    error == sizeof(errors) / sizeof(errors[0]))
		misuse(word);
	add_rule(&calls[call], errors[error].number);
}

int main(int count, char **args)
{
	struct sock_fprog program = {.filter = filter};
	int i;

	add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)));
	for (i = 1; i < count && strcmp(args[i], "--") != 0; i++) {
		if (i > RULES_MAX)
			misuse(args[i]);
		read_rule(args[i]);
	}
	if (i + 1 >= count)
		misuse("nothing to run");
	add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	program.len = length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		perror("robust_deny: seccomp");
		return EXIT_SKIP;
	}
	(void)execv(args[i + 1], args + i + 1);
	perror(args[i + 1]);
	return 127;
}
