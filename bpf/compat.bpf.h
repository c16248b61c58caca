/* SPDX-License-Identifier: MIT */
/*
 * compat.bpf.h - those fields of the kernel's structs that our programs read, and no others but
 * upid.ns, which gives the elements of pid.numbers their size.
 *
 * Offsets are the running kernel's: each access is a CO-RE relocation, which the kernel itself
 * resolves by the names of struct and field while it loads the program. So it does not matter that
 * file.f_path and sock_common.skc_family stand inside unnamed unions, some kernels' and not
 * others'; of pid.numbers, an array of 1 or of any length, only the place is used.
 */
#ifndef LAI_COMPAT_BPF_H
#define LAI_COMPAT_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pid_namespace;
struct file_operations;
struct proto;

struct super_block {
	unsigned long s_magic;
};

struct inode {
	unsigned long i_ino;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct super_block *d_sb;
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	const struct file_operations *f_op;
	void *private_data;
	struct path f_path;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct proto *skc_prot;
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct socket_alloc {
	struct inode vfs_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *open_fds;
};

struct files_struct {
	struct fdtable *fdt;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct task_struct {
	unsigned int flags;
	int tgid;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct files_struct *files;
};

struct bpf_iter__task {
	struct task_struct *task;
};

#pragma clang attribute pop

/* Constants of the kernel that its type information does not have. */
#define PF_KTHREAD 0x00200000u	 /* linux/sched.h */
#define SOCKFS_MAGIC 0x534f434bu /* linux/magic.h */
#define ANON_INODE_FS_MAGIC 0x09041934u
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

#endif
