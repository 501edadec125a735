/* core/cmd/complete.h: what may come next on a command line. The scripts of `esod completion`
 * ask for it, so that it is known in one place only. */
#ifndef ES_CMD_COMPLETE_H
#define ES_CMD_COMPLETE_H

#define ES_CMD_COMPLETE "__complete"

/* words[0..count) stand behind "esod"; the last one is being typed and may be empty. Prints
 * a line for each word that it may become, what is told about it behind a tab, and last
 * ":files", ":folders" or ":nothing" for what may come beside these. Returns the exit code. */
int es_complete(int count, char **words);

#endif
