/* SPDX-License-Identifier: MIT */
/*
 * container.c - which container a cgroup's path belongs to.
 *
 * Every runtime writes the id into the path, by way of systemd or not:
 *
 *	/docker/ID                          /system.slice/docker-ID.scope
 *	/libpod_parent/libpod-ID            /machine.slice/libpod-ID.scope/container
 *	/kubepods/burstable/podUID/ID       /kubepods.slice/[...]/cri-containerd-ID.scope
 *	/SLICE:cri-containerd:ID            /system.slice/crio-ID.scope
 *	/lxc/NAME  /lxc.payload.NAME        /machine.slice/systemd-nspawn@NAME.service/payload
 *
 * The path is read from its end: a container in a container is the innermost one, and what a
 * container's own systemd puts below it does not matter.
 */
#include "observe/container.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ID_DIGITS_MIN 12  /* what runtimes print of an id */
#define ID_DIGITS_BARE 64 /* a directory with an id for a name; fewer digits may be anything */
#define PART_MAX 256	  /* a directory's name has 255 bytes */

/* What stands before an id. What watches over a container has names of its own, which are not
   here: libpod-conmon-ID, crio-conmon-ID, lxc.monitor.NAME. */
static const struct prefix {
	const char *text, *runtime;
} prefixes[] = {
	{"libpod-payload-", "podman"},
	{"libpod-", "podman"},
	{"crio-", "cri-o"},
	{"cri-containerd-", "containerd"},
	{"nerdctl-", "containerd"},
	{"containerd-", "containerd"},
	{"docker-", "docker"},
};

#define PREFIX_COUNT (sizeof(prefixes) / sizeof(prefixes[0]))

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_id(const char *text, size_t digits_min)
{
	size_t digits = strspn(text, "0123456789abcdef");

	return digits >= digits_min && digits <= ID_DIGITS_BARE && text[digits] == '\0';
}

/* Removes a unit's suffix. */
static void cut(char *part, const char *suffix)
{
	size_t length = strlen(part), end = strlen(suffix);

	if (length > end && strcmp(part + length - end, suffix) == 0)
		part[length - end] = '\0';
}

/* systemd writes "-" as "\x2d" where "-" has a meaning. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		unsigned value;
		char digits[3] = "";

		if (begins(text, "\\x"))
			(void)snprintf(digits, sizeof(digits), "%s", text + 2);
		if (isxdigit((unsigned char)digits[0]) && isxdigit((unsigned char)digits[1]) &&
		    sscanf(digits, "%x", &value) == 1 && value != 0) {
			*to++ = (char)value;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* Containers with a name: what people called it. False: this part names none. */
static bool named(char *part, const char *parent, const char **runtime, const char **name)
{
	*runtime = "lxc";
	*name = NULL;
	if (begins(part, "lxc.payload."))
		*name = part + strlen("lxc.payload.");
	else if (strcmp(parent, "lxc") == 0 || strcmp(parent, "lxc.payload") == 0)
		*name = part;
	if (*name)
		return **name != '\0';
	*runtime = "nspawn";
	if (begins(part, "systemd-nspawn@"))
		*name = part + strlen("systemd-nspawn@");
	else if (begins(part, "machine-") && strcmp(parent, "machine.slice") == 0)
		*name = part + strlen("machine-");
	if (!*name)
		return false;
	unescape(part);
	/* machined also registers virtual machines, which are no containers, and libvirt's LXC. */
	if (begins(*name, "qemu-"))
		return false;
	if (begins(*name, "lxc-")) {
		*runtime = "lxc";
		*name += strlen("lxc-");
	}
	return **name != '\0';
}

/* A directory whose name is nothing but an id: those above it tell the runtime, if any does. */
static const char *runtime_above(const char *path, size_t length)
{
	static const struct {
		const char *text, *runtime;
	} above[] = {
		{"/kubepods", "kubepods"}, {"/libpod_parent/", "podman"}, {"/docker/", "docker"}};

	for (size_t i = 0; i < sizeof(above) / sizeof(above[0]); i++)
		if (memmem(path, length, above[i].text, strlen(above[i].text)))
			return above[i].runtime;
	return "container";
}

/* "PREFIX-ID", or "PREFIX:ID" of a containerd that was told a systemd path it did not use. */
static bool prefixed(const char *part, const char **runtime, const char **id)
{
	for (size_t i = 0; i < PREFIX_COUNT; i++) {
		const char *text = prefixes[i].text;
		size_t length = strlen(text);

		if (strncmp(part, text, length - 1) != 0 ||
		    (part[length - 1] != '-' && part[length - 1] != ':') ||
		    !is_id(part + length, ID_DIGITS_MIN))
			continue;
		*runtime = prefixes[i].runtime;
		*id = part + length;
		return true;
	}
	return false;
}

/* Names may have any byte but "/" and newline. */
static void write_name(char *name, size_t size, const char *runtime, const char *id, int id_max)
{
	(void)snprintf(name, size, "%s:%.*s", runtime, id_max, id);
	for (; *name; name++)
		if (!isprint((unsigned char)*name))
			*name = '?';
}

/* One directory, above is the path before it; parent is the name of the one above it. */
static bool look_at(const char *above, size_t above_length, char *part, const char *parent,
		    char *name, size_t size)
{
	const char *runtime, *id, *colon;

	cut(part, ".scope");
	cut(part, ".service");
	if (named(part, parent, &runtime, &id)) {
		write_name(name, size, runtime, id, PART_MAX);
		return true;
	}
	colon = strchr(part, ':'); /* "SLICE:PREFIX:ID" */
	if (!prefixed(colon ? colon + 1 : part, &runtime, &id)) {
		if (!is_id(part, ID_DIGITS_BARE))
			return false;
		runtime = runtime_above(above, above_length);
		id = part;
	}
	write_name(name, size, runtime, id, ID_DIGITS_MIN);
	return true;
}

/* The name that ends before end; returns where it begins. Too long a name becomes "". */
static const char *part_before(const char *path, const char *end, char part[PART_MAX])
{
	const char *start = end;
	size_t length;

	while (start > path && start[-1] != '/')
		start--;
	length = (size_t)(end - start);
	if (length >= PART_MAX)
		length = 0;
	memcpy(part, start, length);
	part[length] = '\0';
	return start;
}

void lai_process_container(const char *path, char *name, size_t size)
{
	const char *end = path + strlen(path);
	char part[PART_MAX] = "", parent[PART_MAX] = "";
	bool found = false;

	name[0] = '\0';
	while (!found && end > path) {
		const char *start = part_before(path, end, part);

		end = start > path ? start - 1 : path;
		(void)part_before(path, end, parent);
		found = look_at(path, (size_t)(start - path), part, parent, name, size);
	}
}
