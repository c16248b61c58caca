/* SPDX-License-Identifier: MIT */
/*
 * fdwalk.bpf.c - walks the descriptor tables of all processes: who holds which TCP socket, epoll
 * set and ring.
 *
 *	task -> files_struct -> fdtable -> file -> socket -> sock
 *	                                    |        '-> sockfs inode (of those that are recorded)
 *	                                    '-> f_op tells the kind of file
 *
 * The cost is waiting for memory: three cache lines for each descriptor that is a socket. So steps
 * take 64 descriptors (one word of the bitmap of open ones) at a time, and a step that waits does
 * next to nothing else, so that the processor has the misses of many descriptors under way
 * together. That halves the time against one loop over descriptors, and halves it once more if a
 * field is read by one instruction (may_cast) and not by a call of some sixty.
 *
 * Loading costs as much as the verifier has to think, and then as the kernel searches its type
 * information by name: for each struct that is the root of an access, though it remembers some;
 * and for each field that is read directly of a pointer that it trusts, which is why even those of
 * the task are read as from a foreign address.
 *
 * Nothing is locked. The program runs under RCU, which keeps files, tables and socks; a
 * files_struct may go while we are in it, when its last thread ends: then that thread has no table
 * afterwards, and its records are taken back. What is stale can mislead but not crash.
 */
#include "compat.bpf.h"
#include "fdwalk.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Some helpers are only for programs whose license the kernel takes for compatible with its own. */
char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define CHUNK 64	/* bits of a word of fdtable.open_fds */
#define MEMO_SLOTS 64	/* a host has some dozens of kinds of files, and a few of protocols */
#define TABLE_SLOTS 256 /* threads with a table of their own are rare */
#define STATES_MAX 32	/* bits of a mask */

/* Set before loading: bit n stands for the kernel's TCP state n. */
const volatile __u32 state_mask = 0;
/* Whether this kernel has bpf_rdonly_cast() (Linux 6.2); if not, the calls of it are dead code. */
const volatile __u32 may_cast = 0;

/* Read after the walk. */
__u32 record_count = 0; /* also of those that had no room */
__u32 process_count = 0;
__u32 vanished_count = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the loader says how many */
	__type(key, __u32);
	__type(value, struct fdwalk_record);
} records SEC(".maps");

/* What a sock is to us. */
enum sock_kind {
	SOCK_OTHER,
	SOCK_TCP,
	SOCK_MPTCP, /* its connections are socks of TCP, which sock_diag lists with its inode */
};

/*
 * What a pointer says of its object, learned when it is first seen: file operations -> enum
 * fdwalk_kind, protocol operations -> enum sock_kind. Where these tables of functions stand, the
 * kernel tells nobody (without CONFIG_KALLSYMS_ALL), but objects of a kind share theirs.
 */
struct memo {
	__u64 pointer;
	__u64 meaning;
};
static struct memo file_memo[MEMO_SLOTS];
static struct memo proto_memo[MEMO_SLOTS];
static __u64 net_seen; /* the last network namespace and its number */
static __u32 net_seen_inode;

/* Tables of threads that have left their leader's, walked already: several may share one. */
struct table {
	__u64 files;
	__u64 leader;
};
static struct table tables_walked[TABLE_SLOTS];

/* The chunk in work; 0: none, or of no interest any more. */
static __u64 file_of[CHUNK];
static __u64 operations_of[CHUNK];
static __u64 socket_of[CHUNK];
static __u64 sock_of[CHUNK];
static __u64 proto_of[CHUNK];
static __u64 net_of[CHUNK];
static __u64 inode_of[CHUNK];
static __u8 wanted_of[CHUNK];
static __u8 state_of[CHUNK];

struct walk {
	__u64 fds;	/* fdtable.fd */
	__u64 open_fds; /* fdtable.open_fds */
	__u64 fd_count;
	__u32 fd_first; /* descriptor of file_of[0] */
	__u32 pid;
};

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* A field as a number, 0 if the address is none. What a cast gave the verifier takes for a pointer
   with which one must not calculate, until it has been in an array. */
#define FIELD(type, object, field)                                                                 \
	(may_cast ? (__u64)((struct type *)bpf_rdonly_cast((const void *)(object),                 \
							   bpf_core_type_id_kernel(struct type)))  \
			    ->field                                                                \
		  : (__u64)BPF_CORE_READ((const struct type *)(object), field))

static __u64 word_read(__u64 address)
{
	__u64 word = 0;

	(void)bpf_probe_read_kernel(&word, sizeof(word), (const void *)address);
	return word;
}

/* Multiplicative hashing: objects are aligned, so their low bits say nothing. */
static __u32 slot_of(__u64 pointer, __u32 slots)
{
	return (__u32)((pointer * 0x9e3779b97f4a7c15ull) >> 32) & (slots - 1);
}

static void record_add(const struct fdwalk_record *added)
{
	__u32 at = record_count++;
	struct fdwalk_record *record = bpf_map_lookup_elem(&records, &at);

	if (record)
		*record = *added;
}

/* Names as words: two comparisons and not a dozen, each of which the verifier follows both ways. */
union name {
	char text[16];
	__u64 words[2];
};
static const union name epoll_name = {"[eventpoll]"}, ring_name = {"[io_uring]"};

static __u32 name_look(const struct file *file)
{
	union name name = {0};
	const unsigned char *text = BPF_CORE_READ(file, f_path.dentry, d_name.name);

	if (bpf_probe_read_kernel_str(name.text, sizeof(name.text), text) < 0)
		return FDWALK_OTHER;
	if (name.words[0] == epoll_name.words[0] && name.words[1] == epoll_name.words[1])
		return FDWALK_EPOLL;
	if (name.words[0] == ring_name.words[0] && name.words[1] == ring_name.words[1])
		return FDWALK_RING;
	return FDWALK_OTHER;
}

/*
 * By file system, since any file may be called "[eventpoll]". What is seen of a file that is closed
 * and used again at this moment is not learned, or all others of its kind would be taken for it.
 */
static __u32 file_look(const struct file *file, __u64 operations, struct memo *memo)
{
	unsigned long magic = BPF_CORE_READ(file, f_path.dentry, d_sb, s_magic);
	const struct socket *socket;
	__u32 kind = FDWALK_OTHER;

	if (magic == ANON_INODE_FS_MAGIC) {
		kind = name_look(file);
	} else if (magic == SOCKFS_MAGIC) {
		/* Opened with O_PATH it has the socket's inode, but holds no socket. */
		socket = BPF_CORE_READ(file, private_data);
		if (!socket || BPF_CORE_READ(socket, file) != file)
			return FDWALK_OTHER;
		kind = FDWALK_SOCKET;
	}
	if (!magic || (__u64)BPF_CORE_READ(file, f_op) != operations)
		return FDWALK_OTHER;
	memo->pointer = operations;
	memo->meaning = kind;
	return kind;
}

static __u32 file_kind(const struct file *file, __u64 operations)
{
	struct memo *memo = &file_memo[slot_of(operations, MEMO_SLOTS)];

	return memo->pointer == operations ? memo->meaning : file_look(file, operations, memo);
}

/*
 * As above: a sock that is being made has no family yet, then no protocol. A raw socket may have
 * TCP for its protocol, too.
 */
static __u32 sock_look(const struct sock *sock, __u64 proto, struct memo *memo)
{
	__u32 family = BPF_CORE_READ(sock, __sk_common.skc_family);
	__u32 protocol = BPF_CORE_READ(sock, sk_protocol);
	__u32 inet = family == AF_INET || family == AF_INET6;

	if (!family || (inet && !protocol))
		return SOCK_OTHER;
	memo->pointer = proto;
	memo->meaning = SOCK_OTHER;
	if (inet && BPF_CORE_READ(sock, sk_type) == SOCK_STREAM) {
		if (protocol == IPPROTO_TCP)
			memo->meaning = SOCK_TCP;
		else if (protocol == IPPROTO_MPTCP)
			memo->meaning = SOCK_MPTCP;
	}
	return memo->meaning;
}

static __u32 sock_kind(const struct sock *sock, __u64 proto)
{
	struct memo *memo = &proto_memo[slot_of(proto, MEMO_SLOTS)];

	return memo->pointer == proto ? memo->meaning : sock_look(sock, proto, memo);
}

/* Mostly that of the one before. */
static __u32 net_inode(__u64 net)
{
	if (net_seen != net) {
		net_seen_inode = BPF_CORE_READ((const struct net *)net, ns.inum);
		net_seen = net;
	}
	return net_seen_inode;
}

static void set_record(__u32 kind, __u32 pid, __u32 fd)
{
	struct fdwalk_record record = {.kind = kind, .pid = pid, .fd = fd};

	record_add(&record);
}

static void process_record(const struct walk *walk)
{
	struct fdwalk_record record = {
		.kind = FDWALK_PROCESS, .pid = walk->pid, .number = walk->fd_count};

	record_add(&record);
}

/*
 * The steps of a chunk, each called once for every i below CHUNK. The test of i is for the
 * verifier.
 */
static long file_wait(__u64 i, struct walk *walk)
{
	(void)walk;
	if (i >= CHUNK)
		return 1;
	if (file_of[i])
		operations_of[i] = FIELD(file, file_of[i], f_op);
	return 0;
}

static long file_classify(__u64 i, struct walk *walk)
{
	const struct file *file;
	__u32 kind;

	if (i >= CHUNK)
		return 1;
	socket_of[i] = 0;
	file = (const struct file *)file_of[i];
	if (!file)
		return 0;
	walk->fd_count++;
	kind = file_kind(file, operations_of[i]);
	if (kind == FDWALK_SOCKET)
		socket_of[i] = FIELD(file, file, private_data);
	else if (kind != FDWALK_OTHER)
		set_record(kind, walk->pid, walk->fd_first + i);
	return 0;
}

static long socket_wait(__u64 i, struct walk *walk)
{
	(void)walk;
	if (i >= CHUNK)
		return 1;
	sock_of[i] = 0;
	if (socket_of[i])
		sock_of[i] = FIELD(socket, socket_of[i], sk);
	return 0;
}

static long sock_wait(__u64 i, struct walk *walk)
{
	(void)walk;
	if (i >= CHUNK)
		return 1;
	if (!sock_of[i])
		return 0;
	state_of[i] = FIELD(sock, sock_of[i], __sk_common.skc_state);
	proto_of[i] = FIELD(sock, sock_of[i], __sk_common.skc_prot);
	net_of[i] = FIELD(sock, sock_of[i], __sk_common.skc_net.net);
	return 0;
}

static long sock_classify(__u64 i, struct walk *walk)
{
	const struct sock *sock;
	__u32 kind;

	(void)walk;
	if (i >= CHUNK)
		return 1;
	wanted_of[i] = 0;
	sock = (const struct sock *)sock_of[i];
	if (!sock)
		return 0;
	kind = sock_kind(sock, proto_of[i]);
	if (kind == SOCK_TCP) {
		wanted_of[i] = state_of[i] < STATES_MAX && (state_mask & (1u << state_of[i]));
	} else if (kind == SOCK_MPTCP) {
		/* Its own state says nothing of its connections'. */
		wanted_of[i] = 1;
		state_of[i] = 0;
	}
	return 0;
}

static long inode_wait(__u64 i, struct walk *walk)
{
	(void)walk;
	if (i >= CHUNK)
		return 1;
	if (wanted_of[i])
		inode_of[i] = FIELD(socket_alloc, socket_of[i], vfs_inode.i_ino);
	return 0;
}

static long socket_record(__u64 i, struct walk *walk)
{
	struct fdwalk_record record = {.kind = FDWALK_SOCKET};
	__u64 fd;

	if (i >= CHUNK)
		return 1;
	if (!wanted_of[i])
		return 0;
	fd = walk->fd_first + i;
	/* Closed meanwhile, the file may be another process's by now. */
	if (word_read(walk->fds + fd * sizeof(__u64)) != file_of[i])
		return 0;
	record.number = inode_of[i];
	record.pid = walk->pid;
	record.fd = fd;
	record.net_inode = net_inode(net_of[i]);
	record.state = state_of[i];
	record_add(&record);
	return 0;
}

static long chunk_walk(__u64 n, struct walk *walk)
{
	if (!word_read(walk->open_fds + n * sizeof(__u64)))
		return 0;
	if (bpf_probe_read_kernel(file_of, sizeof(file_of),
				  (const void *)(walk->fds + n * sizeof(file_of))))
		return 1;
	walk->fd_first = n * CHUNK;
	bpf_loop(CHUNK, file_wait, walk, 0);
	bpf_loop(CHUNK, file_classify, walk, 0);
	bpf_loop(CHUNK, socket_wait, walk, 0);
	bpf_loop(CHUNK, sock_wait, walk, 0);
	bpf_loop(CHUNK, sock_classify, walk, 0);
	bpf_loop(CHUNK, inode_wait, walk, 0);
	bpf_loop(CHUNK, socket_record, walk, 0);
	return 0;
}

static void table_walk(const struct files_struct *files, struct walk *walk)
{
	const struct fdtable *table = BPF_CORE_READ(files, fdt);

	walk->fds = (__u64)BPF_CORE_READ(table, fd);
	walk->open_fds = (__u64)BPF_CORE_READ(table, open_fds);
	bpf_loop(BPF_CORE_READ(table, max_fds) / CHUNK, chunk_walk, walk, 0);
}

/* As the reader's namespace numbers it; the iterator shows the reader no task of another one. */
static __u32 process_id(const struct task_struct *leader)
{
	const struct task_struct *reader = (const struct task_struct *)bpf_get_current_task();
	__u32 level = BPF_CORE_READ(reader, thread_pid, level), id = 0;
	const struct pid *pid;

	if (level == 0)
		return BPF_CORE_READ(leader, tgid);
	pid = BPF_CORE_READ(leader, thread_pid);
	(void)bpf_probe_read_kernel(&id, sizeof(id), &pid->numbers[level].nr);
	return id;
}

static int table_is_new(const struct files_struct *files, const struct task_struct *leader)
{
	struct table *walked = &tables_walked[slot_of((__u64)files, TABLE_SLOTS)];

	if (walked->files == (__u64)files && walked->leader == (__u64)leader)
		return 0;
	walked->files = (__u64)files;
	walked->leader = (__u64)leader;
	return 1;
}

SEC("iter/task")
int fdwalk(struct bpf_iter__task *context)
{
	const struct task_struct *task = context->task, *leader;
	const struct files_struct *files;
	struct walk walk = {0};
	__u32 before = record_count;

	if (!task || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	leader = BPF_CORE_READ(task, group_leader);
	files = BPF_CORE_READ(task, files);
	if (task == leader)
		process_count++;
	else if (!files || files == BPF_CORE_READ(leader, files) || !table_is_new(files, leader))
		return 0;
	walk.pid = process_id(leader);
	if (files) {
		table_walk(files, &walk);
		if (!BPF_CORE_READ(task, files)) {
			record_count = before;
			vanished_count += task == leader;
			return 0;
		}
	}
	process_record(&walk);
	return 0;
}
