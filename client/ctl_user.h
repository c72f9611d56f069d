/* What the commands about users share. */
#ifndef SA_CTL_USER_H
#define SA_CTL_USER_H

#include "client/ctl.h"
#include "secauth/v1/user.pb-c.h"

#define SA_CTL_USERS        &secauth__v1__user_service__descriptor
#define SA_CTL_PAGE         100u
#define SA_CTL_ID_MAX       4294967294u
#define SA_CTL_USER_COLUMNS 7u

extern const struct sa_ctl_column sa_ctl_user_columns[SA_CTL_USER_COLUMNS];

/* The record in a response. */
SA_MUST_CHECK enum sa_ctl_exit sa_ctl_print_user(const struct sa_ctl *ctl, const json_t *reply);

/*
 * Add the groups that this host's name service has for a user, as far as their names are ones that secauth
 * can have; says which are left out. The names live as long as the program.
 */
void sa_ctl_host_groups(const char *name, struct sa_ctl_list *groups);

#endif
