/* core/cmd/version.h: what this build is. */
#ifndef ES_CMD_VERSION_H
#define ES_CMD_VERSION_H

#define ES_USER_AGENT "esod/" ESOD_VERSION

#endif
