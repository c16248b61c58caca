/* SPDX-License-Identifier: MIT */
/*
 * lab_report.h - what a run of the lab found, as a document to keep or to hand on.
 *
 * Both read the captures of the run's trials, and leave their FILEs rewound. What comes from the
 * wire, from evidence or from the environment is escaped: it cannot become part of the document.
 * Results are as lai_run_plan() leaves them, whatever their trials wrote: counts are within their
 * arrays, names and words end, control is one of its values. So nothing here looks again.
 */
#ifndef LAI_SHOW_LAB_REPORT_H
#define LAI_SHOW_LAB_REPORT_H

#include "lab/runner.h"

#include <stdio.h>

/*
 * One page that needs nothing else: no script, font, style or picture from elsewhere. Verdicts,
 * texts, numbers over the seeds, plots, the evidence, and time-sequence diagrams drawn from the
 * capture of the first seed that has one. 0; -ENOMEM; -EIO: the file did not take it.
 */
int lai_lab_report_html(const struct lai_run *run, FILE *file);

/* The same texts, verdicts and numbers, one paragraph to a line; 0, -ENOMEM or -EIO. */
int lai_lab_report_markdown(const struct lai_run *run, FILE *file);

#endif
