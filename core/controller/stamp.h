/* core/controller/stamp.h: a number that stands for the versions of several objects.
 *
 * Two passes that have seen the same objects in the same versions and order get the
 * same stamp, so that the second knows that nothing is new. Stamps are compared within
 * one process; what was there before its start is told apart by `written_unix_ms`. */
#ifndef ES_CONTROLLER_STAMP_H
#define ES_CONTROLLER_STAMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct es_stamp {
    uint64_t number;         /* 0: nothing was added */
    int64_t written_unix_ms; /* the newest write of any of them, as managedFields have it */
    bool missing;            /* one of them does not exist */
};

void es_stamp_add(struct es_stamp *s, const json_t *object);
void es_stamp_add_missing(struct es_stamp *s);

#endif
