/* core/cmd/manual.h: the pages of the manual, made of what --help and the configuration are
 * made of. They are written when esod is built. */
#ifndef ES_CMD_MANUAL_H
#define ES_CMD_MANUAL_H

#define ES_CMD_MANUAL "__manual"

/* words[0] names the page that is printed, "esod-run.1"; without it, the names of all are.
 * Returns the exit code. */
int es_manual(int count, char **words);

#endif
