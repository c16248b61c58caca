/* SPDX-License-Identifier: MIT */
/* space_refusal.c - why the lab may not have namespaces here, by the names of what forbids it. */
#include "lab/space.h"
#include "base/text.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SENTENCE_MAX 2048

/* What a sysctl holds; -1: there is none, or it may not be read. */
static long number_of(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	(void)fclose(file);
	return value;
}

/* Settings that forbid namespaces, and the value that does. Debian and Ubuntu have the first and
   the second; the kernel has the limits (namespaces(7)), which are per user and user namespace. */
static const struct {
	const char *name, *path;
	long forbids;
	const char *allow;
} sysctls[] = {
	{"kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone", 0, "1"},
	{"kernel.apparmor_restrict_unprivileged_userns",
	 "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1, "0"},
	{"user.max_user_namespaces", "/proc/sys/user/max_user_namespaces", 0, "10000"},
	{"user.max_net_namespaces", "/proc/sys/user/max_net_namespaces", 0, "10000"},
	{"user.max_pid_namespaces", "/proc/sys/user/max_pid_namespaces", 0, "10000"},
	{"user.max_mnt_namespaces", "/proc/sys/user/max_mnt_namespaces", 0, "10000"},
};

static bool name_sysctls(struct lai_text *text)
{
	bool found = false;

	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		if (number_of(sysctls[i].path) != sysctls[i].forbids)
			continue;
		lai_text_append(text,
				"%s %s is %ld (as root, sysctl -w %s=%s would allow it for the "
				"time being)",
				found ? "," : ":", sysctls[i].name, sysctls[i].forbids,
				sysctls[i].name, sysctls[i].allow);
		found = true;
	}
	return found;
}

/* Of the kernel's limits the lowest, which is the one that a few trials use up. */
static void name_lowest(struct lai_text *text)
{
	long lowest = -1;
	size_t which = 0;

	for (size_t i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		long number =
			strncmp(sysctls[i].name, "user.", 5) == 0 ? number_of(sysctls[i].path) : -1;

		if (number < 0 || (lowest >= 0 && number >= lowest))
			continue;
		lowest = number;
		which = i;
	}
	if (lowest >= 0)
		lai_text_append(text, " (%s is %ld)", sysctls[which].name, lowest);
}

static long limit_of(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) == 0 ? (long)limit.rlim_cur : -1;
}

/* False: this errno is no shortage. */
static bool name_shortage(struct lai_text *text, int error)
{
	switch (error) {
	case EMFILE:
		lai_text_append(text, "too many open files: ulimit -n is %ld",
				limit_of(RLIMIT_NOFILE));
		return true;
	case ENFILE: lai_text_append(text, "too many open files: fs.file-max"); return true;
	case EAGAIN:
		lai_text_append(text,
				"too many processes: ulimit -u is %ld, and a container may have a "
				"limit of its own",
				limit_of(RLIMIT_NPROC));
		return true;
	case ENOMEM: lai_text_append(text, "out of memory"); return true;
	case ENOSPC:
	case EUSERS:
		lai_text_append(text, "the limit of namespaces is used up, or they are nested too "
				      "deeply");
		name_lowest(text);
		return true;
	default: return false;
	}
}

char *lai_space_shortage(int error)
{
	struct lai_text text = LAI_TEXT_INIT(SENTENCE_MAX);
	char *sentence = NULL;

	if (!name_shortage(&text, error))
		lai_text_append(&text, "%s", strerror(error));
	if (lai_text_steal(&text, &sentence) != 0)
		lai_text_done(&text);
	return sentence;
}

/* Root outside must have CAP_SETFCAP to become root inside (user_namespaces(7), Linux 5.12). */
static bool lacks_setfcap(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 &&
	       !(data[CAP_TO_INDEX(CAP_SETFCAP)].effective & CAP_TO_MASK(CAP_SETFCAP));
}

/* "Seccomp: 2" in /proc/self/status: a filter is on, as in most containers. */
static bool is_filtered(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	int mode = 0;

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	(void)fclose(file);
	return mode == 2;
}

/* The reason, as far as it can be known from here: after "is not allowed here". */
static void name_reason(struct lai_text *text, int error)
{
	struct lai_text shortage = LAI_TEXT_INIT(SENTENCE_MAX);

	if (name_sysctls(text))
		return;
	if (name_shortage(&shortage, error)) {
		lai_text_append(text, ": %s", lai_text_string(&shortage));
		lai_text_done(&shortage);
		return;
	}
	if (access("/proc/self/ns/user", F_OK) != 0 && access("/proc/self/ns/net", F_OK) == 0)
		lai_text_append(text, ": this kernel has none (CONFIG_USER_NS)");
	else if (is_filtered())
		lai_text_append(text,
				" (%s): a seccomp filter is on, most likely a container's, which "
				"has to be started with those capabilities",
				strerror(error));
	else
		lai_text_append(text,
				" (%s): a security module forbids it, or this is a chroot, in "
				"which there are no user namespaces",
				strerror(error));
}

static void describe_user(struct lai_text *text, const struct lai_space_report *report)
{
	lai_text_append(text,
			"an experiment needs network namespaces of its own: either the "
			"capabilities CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW, which root "
			"has, or a user namespace, which ");
	switch (report->step) {
	case LAI_SPACE_MAP:
		lai_text_append(text, "may be made here, but not be used: its /proc/self/uid_map "
				      "cannot be written");
		break;
	case LAI_SPACE_MOUNTS:
		lai_text_append(text, "may be made here, but has no capabilities: mounting is "
				      "forbidden in it");
		break;
	default: lai_text_append(text, "is not allowed here"); break;
	}
	if (access("/proc/self/status", F_OK) != 0)
		lai_text_append(text, ": /proc is not mounted");
	else if (report->step == LAI_SPACE_MAP && report->error == EPERM && lacks_setfcap())
		lai_text_append(text, ": root needs CAP_SETFCAP for that; another user does not");
	else
		name_reason(text, report->error);
}

static void describe_root(struct lai_text *text, const struct lai_space_report *report)
{
	lai_text_append(text, "an experiment needs pid, mount and network namespaces of its own: ");
	if (report->step == LAI_SPACE_MOUNTS)
		lai_text_append(
			text, "its mounts cannot be made private (%s)%s", strerror(report->error),
			report->error == EINVAL ? "; in a chroot, /proc must be mounted" : "");
	else {
		lai_text_append(text, "the kernel refuses them");
		if (name_sysctls(text))
			return;
		lai_text_append(text, ": ");
		if (!name_shortage(text, report->error))
			lai_text_append(text, "%s%s", strerror(report->error),
					is_filtered() ? "; a seccomp filter is on" : "");
	}
}

char *lai_space_refusal(const struct lai_space_report *report, bool user)
{
	struct lai_text text = LAI_TEXT_INIT(SENTENCE_MAX);
	char *sentence = NULL;

	if (report->step == LAI_SPACE_WATCH)
		lai_text_append(
			&text, "an experiment needs pidfd_open(2), which Linux has since 5.3: %s%s",
			strerror(report->error), is_filtered() ? "; a seccomp filter is on" : "");
	else if (user)
		describe_user(&text, report);
	else
		describe_root(&text, report);
	if (lai_text_steal(&text, &sentence) != 0)
		lai_text_done(&text);
	return sentence;
}
