/* SPDX-License-Identifier: MIT */
#include "lab/claims/kernel_objects.h"

#include <fcntl.h>
#include <linux/btf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Kinds of types that came later than some headers. */
#define KIND_DECL_TAG 17
#define KIND_TYPE_TAG 18
#define KIND_ENUM64 19

double lai_kernel_number(const char *path, const char *line_format)
{
	FILE *file = fopen(path, "re");
	char line[256];
	double value = -1;

	while (file && value < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, line_format, &value) != 1)
			value = -1;
	if (file)
		(void)fclose(file);
	return value;
}

/* A column of /proc/slabinfo: name, active objects, objects, size of one. */
static double column(const char *kind, const char *columns)
{
	char format[64];

	(void)snprintf(format, sizeof(format), "%s %s", kind, columns);
	return lai_kernel_number("/proc/slabinfo", format);
}

double lai_kernel_object_bytes(const char *kind)
{
	return column(kind, "%*u %*u %lf");
}

/* What follows a type of this kind in BTF (Documentation/bpf/btf.rst); -1: a kind that we do not
   know, behind which nothing can be read. */
static long type_rest(unsigned kind, unsigned members)
{
	switch (kind) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case KIND_TYPE_TAG: return 0;
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case KIND_DECL_TAG: return sizeof(uint32_t);
	case BTF_KIND_ARRAY: return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION: return (long)(members * sizeof(struct btf_member));
	case BTF_KIND_ENUM: return (long)(members * sizeof(struct btf_enum));
	case BTF_KIND_FUNC_PROTO: return (long)(members * sizeof(struct btf_param));
	case BTF_KIND_DATASEC: return (long)(members * sizeof(struct btf_var_secinfo));
	case KIND_ENUM64: return (long)(members * 3 * sizeof(uint32_t));
	default: return -1;
	}
}

static double struct_find(const uint8_t *data, size_t size, const char *name)
{
	struct btf_header header;
	size_t at, types_end, names;

	memcpy(&header, data, sizeof(header));
	at = (size_t)header.hdr_len + header.type_off;
	types_end = at + header.type_len;
	names = (size_t)header.hdr_len + header.str_off;
	if (header.magic != BTF_MAGIC || types_end > size || names + header.str_len > size)
		return -1;
	while (at + sizeof(struct btf_type) <= types_end) {
		struct btf_type type;
		long rest;

		memcpy(&type, data + at, sizeof(type));
		if (BTF_INFO_KIND(type.info) == BTF_KIND_STRUCT && type.name_off < header.str_len &&
		    strncmp((const char *)data + names + type.name_off, name,
			    header.str_len - type.name_off) == 0)
			return type.size;
		rest = type_rest(BTF_INFO_KIND(type.info), BTF_INFO_VLEN(type.info));
		if (rest < 0)
			return -1;
		at += sizeof(type) + (size_t)rest;
	}
	return -1;
}

/* Into memory of its own: the file can be mapped since Linux 6.16 only. */
static double struct_read(int fd, size_t size, const char *name)
{
	uint8_t *data = malloc(size);
	double bytes = -1;
	size_t have = 0;
	ssize_t count = 0;

	while (data && have < size && (count = read(fd, data + have, size - have)) > 0)
		have += (size_t)count;
	if (data && have >= sizeof(struct btf_header))
		bytes = struct_find(data, have, name);
	free(data);
	return bytes;
}

double lai_kernel_struct_bytes(const char *name)
{
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
	double bytes = -1;
	struct stat file;

	if (fd >= 0 && fstat(fd, &file) == 0 && file.st_size > 0)
		bytes = struct_read(fd, (size_t)file.st_size, name);
	if (fd >= 0)
		(void)close(fd);
	return bytes;
}

/* A socket of IPv4 that a program holds: as slabs, and as structures. */
static const struct {
	const char *kind, *structure;
} parts[] = {{"TCP", "tcp_sock"}, {"sock_inode_cache", "socket_alloc"}, {"filp", "file"}};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

double lai_kernel_sockets_bytes(void)
{
	double bytes = 0;

	for (size_t i = 0; i < PARTS; i++) {
		double count = column(parts[i].kind, "%lf");

		if (count < 0)
			return -1;
		bytes += count * lai_kernel_object_bytes(parts[i].kind);
	}
	return bytes;
}

double lai_kernel_socket_bytes(void)
{
	double bytes = 0;

	for (size_t i = 0; i < PARTS; i++) {
		double part = lai_kernel_struct_bytes(parts[i].structure);

		if (part < 0)
			return -1;
		bytes += part;
	}
	return bytes;
}
