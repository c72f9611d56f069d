/*
 * Where the daemon listens, and where it says whom it manages: compiled in on both sides, so that nobody can
 * be sent to another socket or shown another list.
 */
#ifndef SA_PROTO_SOCKETS_H
#define SA_PROTO_SOCKETS_H

#define SA_RUN_DIR     "/run/secauth"
#define SA_ROOT_DIR    "/run/secauth/root"           /* mode 0700 */
#define SA_ROOT_SOCKET "/run/secauth/root/root.sock" /* mode 0600: root's callers */
#define SA_GATEWAY_DIR "/run/secauth/gateway"        /* a gateway's socket in it is NAME.sock, mode 0660 */
#define SA_USER_SOCKET "/run/secauth/user.sock"      /* mode 0666: everybody else */

#define SA_MANAGED_FILE "/var/lib/secauth/managed" /* mode 0644: the uids that have a record */

/* What follows the reason where the store or its master key is gone for good. */
#define SA_STORE_ADVICE                                                                                      \
    "; put a good copy in its place, or begin anew: move the store and " SA_MANAGED_FILE                     \
    " away, then run `secauthctl setup`"

#endif
