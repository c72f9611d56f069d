/* Users between message and record. */
#ifndef SA_RPC_USER_MESSAGE_H
#define SA_RPC_USER_MESSAGE_H

#include "service/rpc/shared.h"

#define RPC_UID_MAX        4294967294u /* -1 is nobody */
#define RPC_RULE_UID       "0 to 4294967294; required"
#define RPC_RULE_FULL_NAME "at most 255 bytes"

/*
 * Read what an administrator may say of a user; subject, hash, active and password_changed are not theirs to
 * say. SA_OK, or SA_INVALID_ARGUMENT with the field and the rule.
 */
SA_MUST_CHECK enum sa_status rpc_read_user(struct sa_call *call, const Secauth__V1__User *from,
                                           struct sa_user *ret_user);

/*
 * Read the parts of a record that UpdateUser changes, bits of enum sa_user_part, and nothing else of it but
 * the name.
 */
SA_MUST_CHECK enum sa_status rpc_read_user_parts(struct sa_call *call, const Secauth__V1__User *from,
                                                 unsigned parts, struct sa_user *ret_user);

/* SA_OK, or SA_INVALID_ARGUMENT naming the field. */
SA_MUST_CHECK enum sa_status rpc_check_user_name(struct sa_call *call, const char *field, const char *name);

/*
 * The user of that name and a record about it. SA_NOT_FOUND where there is none; the user must outlive the
 * record.
 */
SA_MUST_CHECK enum sa_status rpc_begin_user_change(struct sa_call *call, enum sa_event event,
                                                   const char *name, struct sa_user **ret_user,
                                                   struct sa_audit *ret_record);

/* The message of a reply. SA_OK, SA_NO_MEMORY. */
SA_MUST_CHECK enum sa_status rpc_reply_user(struct sa_call *call, const struct sa_user *user,
                                            Secauth__V1__User **ret_row);

/*
 * Judge a new password. SA_OK; SA_PASSWORD_REFUSED with `field` and the reason for the person; as
 * sa_new_password_check. Lane: hash.
 */
SA_MUST_CHECK enum sa_status rpc_check_new_password(struct sa_call *call, const char *field,
                                                    struct sa_bytes password, struct sa_bytes current,
                                                    const char *name);

/* Fill in a message; false for lack of memory. */
SA_MUST_CHECK bool rpc_put_user(struct sa_call *call, const struct sa_user *user, enum sa_password_kind kind,
                                Secauth__V1__User *row);

#endif
