/* SPDX-License-Identifier: MIT */
/* lab_files.h - what a run of the lab leaves on disk when asked: captures, and a report. */
#ifndef LAI_CLI_LAB_FILES_H
#define LAI_CLI_LAB_FILES_H

#include "lab/runner.h"

/*
 * Before a run, so that five minutes are not spent for nothing: makes the directory if it is missing
 * (*made: rmdir(2) is for the caller if there is no run), and tries whether files can be made where
 * they shall be. Either may be NULL. 0, or -EINVAL with a sentence in *error, for free(), or -ENOMEM.
 */
int lai_lab_files_check(const char *pcap_directory, const char *report, bool *made, char **error);

/*
 * The captures of all trials, ID-seedN.pcap; with a router ID-seedN-client.pcap and
 * ID-seedN-server.pcap. Each is there as a whole or not at all. 0, or a negative errno with a
 * sentence in *error.
 */
int lai_lab_captures_write(const struct lai_run *run, const char *directory, char **error);

/* The report, HTML or Markdown by its suffix; as a whole or not at all. What it replaces keeps its
   mode; a link stays one. The same results. */
int lai_lab_report_write(const struct lai_run *run, const char *path, char **error);

#endif
