/* SPDX-License-Identifier: MIT */
/* container.h - which container a process is in, by its cgroup. */
#ifndef LAI_OBSERVE_CONTAINER_H
#define LAI_OBSERVE_CONTAINER_H

#include <stddef.h>

/*
 * Pure: the name of the container that a cgroup's path belongs to, "" if it belongs to none: the
 * innermost one, "docker:", "podman:", "containerd:", "cri-o:", "kubepods:" or "container:" (a
 * runtime that the path does not name) with 12 digits of the id; "lxc:" or "nspawn:" with a name.
 * What watches over a container (conmon, lxc.monitor) is not inside it.
 */
void lai_process_container(const char *path, char *name, size_t size);

#endif
