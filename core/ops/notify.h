/* core/ops/notify.h: tells the service manager that started this process how it is doing, in
 * systemd's protocol: a datagram of lines to the socket in $NOTIFY_SOCKET. Without such a
 * manager nothing happens. */
#ifndef ES_OPS_NOTIFY_H
#define ES_OPS_NOTIFY_H

/* "READY=1", "STATUS=...": one line or several. That it does not arrive is the manager's
 * trouble, not ours. */
void es_notify(const char *lines);

#endif
