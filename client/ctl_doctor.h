/*
 * `secauthctl doctor`: what its checks share. A check is a row of the table in ctl_doctor.c and a function
 * that looks at one thing and tells what it finds, any number of times; the row says what is wrong and how to
 * mend it.
 */
#ifndef SA_CTL_DOCTOR_H
#define SA_CTL_DOCTOR_H

#include "client/ctl.h"

#define SA_DOCTOR_OUTPUT_MAX 65536u /* bytes kept of what a program says */

struct sa_doctor_row;

struct sa_doctor {
    struct sa_ctl *ctl;
    const struct sa_doctor_row *row; /* the check that runs */
    json_t *findings;
    json_t *settings; /* "store.path": "/var/..."; what `secauthd --dump-config` says, empty where it fails */
    json_t *status;   /* GetStatus; NULL where nobody answers */
    json_t *users;    /* ListUsers; NULL likewise */
};

struct sa_doctor_row {
    const char *name;
    void (*look)(struct sa_doctor *doctor);
    const char *wrong;
    const char *mend;
};

/* Tell what was seen: a file, a line, a value. */
void sa_doctor_tell(struct sa_doctor *doctor, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A setting that is in force, or `otherwise` where the configuration is not valid. */
const char *sa_doctor_setting(const struct sa_doctor *doctor, const char *name, const char *otherwise);

/*
 * Run a program with an empty stdin, stdout and stderr together.
 *   ret_output  at most SA_DOCTOR_OUTPUT_MAX bytes, terminated; the caller frees it. NULL: it could not be
 * run. Returns its exit status, or -1.
 */
int sa_doctor_run(char *const *words, char **ret_output);

/* ctl_doctor_pam.c */
void sa_doctor_pam_missing(struct sa_doctor *doctor);
void sa_doctor_pam_module(struct sa_doctor *doctor);
void sa_doctor_pam_order(struct sa_doctor *doctor);
void sa_doctor_pam_revived(struct sa_doctor *doctor);
void sa_doctor_pam_cut(struct sa_doctor *doctor);
void sa_doctor_pam_jump(struct sa_doctor *doctor);
void sa_doctor_pam_option(struct sa_doctor *doctor);
void sa_doctor_pam_sshd(struct sa_doctor *doctor);

/* ctl_doctor_files.c */
void sa_doctor_modes(struct sa_doctor *doctor);
void sa_doctor_sockets(struct sa_doctor *doctor);
void sa_doctor_conf(struct sa_doctor *doctor);
void sa_doctor_last_good(struct sa_doctor *doctor);
void sa_doctor_master_key(struct sa_doctor *doctor);
void sa_doctor_sshd_pam(struct sa_doctor *doctor);
void sa_doctor_sshd_kbdint(struct sa_doctor *doctor);

/* ctl_doctor_host.c */
void sa_doctor_daemon(struct sa_doctor *doctor);
void sa_doctor_version(struct sa_doctor *doctor);
void sa_doctor_clock(struct sa_doctor *doctor);
void sa_doctor_entropy(struct sa_doctor *doctor);
void sa_doctor_disk(struct sa_doctor *doctor);
void sa_doctor_inodes(struct sa_doctor *doctor);
void sa_doctor_store(struct sa_doctor *doctor);
void sa_doctor_swap(struct sa_doctor *doctor);
void sa_doctor_core(struct sa_doctor *doctor);
void sa_doctor_syslog(struct sa_doctor *doctor);

/* ctl_doctor_people.c */
void sa_doctor_outside(struct sa_doctor *doctor);
void sa_doctor_orphans(struct sa_doctor *doctor);
void sa_doctor_ids(struct sa_doctor *doctor);

/* ctl_doctor_factor.c */
void sa_doctor_factor(struct sa_doctor *doctor);

/* Whether anybody may be asked for a second factor: a rule says so, or somebody has a key. */
bool sa_doctor_asks_factors(struct sa_doctor *doctor);

#endif
