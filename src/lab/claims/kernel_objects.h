/* SPDX-License-Identifier: MIT */
/*
 * kernel_objects.h - how much of the kernel's memory sockets take: /proc/slabinfo, which only root
 * may read, tells it by kind of object; /proc/meminfo tells the sum of all to everybody.
 */
#ifndef LAI_LAB_CLAIMS_KERNEL_OBJECTS_H
#define LAI_LAB_CLAIMS_KERNEL_OBJECTS_H

#include "lab/trial.h"

/* A number of a file of lines, by a scanf format with one %lf; -1: not there, or not readable. */
double lai_kernel_number(const char *path, const char *line_format);

/* Size of one kernel object of this kind ("tw_sock_TCP"); -1: not told. */
double lai_kernel_object_bytes(const char *kind);

/* All objects that cannot be reclaimed. LACKS if that is not told. */
double lai_kernel_bytes(struct lai_trial *trial);

/* What sockets that a program holds are made of; where that is not told, all objects. For
   differences: the kernel counts some objects that it has ready as if they were in use. */
double lai_kernel_sockets_bytes(struct lai_trial *trial);

#endif
