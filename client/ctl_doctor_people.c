/* The people of the host and the records of the store, side by side. */
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>

#include "client/ctl_doctor.h"

#define NAMES_LEN 512u

static bool
has_record(const struct sa_doctor *doctor, const char *name)
{
    size_t index;
    json_t *user;

    json_array_foreach(doctor->users, index, user)
    {
        const char *theirs = json_string_value(json_object_get(user, "name"));
        if (theirs != NULL && strcmp(theirs, name) == 0)
            return true;
    }
    return false;
}

/* Root stays with pam_unix: it is the way back when nobody listens. */
void
sa_doctor_outside(struct sa_doctor *doctor)
{
    char names[NAMES_LEN] = "";
    size_t len = 0, count = 0;
    const struct spwd *entry;

    if (doctor->users == NULL)
        return;
    setspent();
    while ((entry = getspent()) != NULL) {
        const char *hash = entry->sp_pwdp;
        if (hash == NULL || (hash[0] != '$' && hash[0] != '_' && strlen(hash) != 13) ||
            strcmp(entry->sp_namp, "root") == 0 || has_record(doctor, entry->sp_namp))
            continue;
        count++;
        if (len + strlen(entry->sp_namp) + 2 < sizeof(names))
            len += (size_t)snprintf(names + len, sizeof(names) - len, " %s", entry->sp_namp);
    }
    endspent();
    if (count > 0)
        sa_doctor_tell(doctor, "%zu with a password in shadow and no record:%s", count, names);
}

void
sa_doctor_orphans(struct sa_doctor *doctor)
{
    size_t index;
    json_t *user;

    json_array_foreach(doctor->users, index, user)
    {
        const char *name = json_string_value(json_object_get(user, "name"));
        if (name != NULL && getpwnam(name) == NULL)
            sa_doctor_tell(doctor, "%s", name);
    }
}

void
sa_doctor_ids(struct sa_doctor *doctor)
{
    size_t index;
    json_t *user;

    json_array_foreach(doctor->users, index, user)
    {
        const char *name = json_string_value(json_object_get(user, "name"));
        json_int_t uid = json_integer_value(json_object_get(user, "uid"));
        const struct passwd *person = name == NULL ? NULL : getpwnam(name);
        if (person != NULL && (json_int_t)person->pw_uid != uid)
            sa_doctor_tell(doctor, "%s: %lld in the record, %u on the host", name, (long long)uid,
                           person->pw_uid);
    }
}
