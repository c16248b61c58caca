/* SPDX-License-Identifier: MIT */
/*
 * kernel_objects.h - how much of the kernel's memory sockets take: /proc/slabinfo, which only root
 * may read, tells it by kind of object; how its structures are made the kernel tells everybody
 * (BTF).
 */
#ifndef LAI_LAB_CLAIMS_KERNEL_OBJECTS_H
#define LAI_LAB_CLAIMS_KERNEL_OBJECTS_H

/* A number of a file of lines, by a scanf format with one %lf; -1: not there, or not readable. */
double lai_kernel_number(const char *path, const char *line_format);

/* Size of one kernel object of this kind ("tw_sock_TCP"); -1: not told. */
double lai_kernel_object_bytes(const char *kind);

/* Size of a structure ("tcp_timewait_sock") by the kernel's own type information,
   /sys/kernel/btf/vmlinux; -1: not told. */
double lai_kernel_struct_bytes(const char *name);

/* All of what sockets that a program holds are made of; -1: not told. For differences: the kernel
   counts some objects that it has ready as if they were in use. */
double lai_kernel_sockets_bytes(void);

/* What one such socket is made of, by the sizes of its structures; -1: not told. */
double lai_kernel_socket_bytes(void);

#endif
