/* SPDX-License-Identifier: MIT */
/* space_refusal.c - why the lab may not have namespaces here, by the names of what forbids it. */
#include "lab/space.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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
	if (name_sysctls(text))
		return;
	if (access("/proc/self/ns/user", F_OK) != 0 && access("/proc/self/ns/net", F_OK) == 0)
		lai_text_append(text, ": this kernel has none (CONFIG_USER_NS)");
	else if (error == ENOSPC)
		lai_text_append(text, ": a limit under /proc/sys/user/ is used up, or they are "
				      "nested too deeply");
	else if (error == EUSERS)
		lai_text_append(text, ": they are nested too deeply");
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
		lai_text_append(text, "the kernel refuses them (%s)", strerror(report->error));
		(void)name_sysctls(text);
	}
}

char *lai_space_refusal(const struct lai_space_report *report, bool user)
{
	struct lai_text text = LAI_TEXT_INIT(SENTENCE_MAX);
	char *sentence = NULL;

	if (user)
		describe_user(&text, report);
	else
		describe_root(&text, report);
	if (lai_text_steal(&text, &sentence) != 0)
		lai_text_done(&text);
	return sentence;
}
