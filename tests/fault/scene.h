/* Eight callers in one batch, each with something else to do, and what the file must hold of it afterwards.
 */
#ifndef SA_TESTS_SCENE_H
#define SA_TESTS_SCENE_H

#include "service/store/inside.h"
#include "tests/support/store_fixture.h"

#define CALLERS 8u

struct scene {
    struct fixture fixture;
    char subject[SA_ID_LEN + 1];
    uint32_t client;
    struct sa_session session; /* whose token is refreshed */
    struct sa_session opened;  /* which a caller opens */
    uint8_t handle[SA_MAC_LEN];
    enum sa_status statuses[CALLERS];
    bool outcome_unknown; /* the store gave up: a daemon would have ended without an answer */
};

/* The files of a store with three users, a client and a session, made once; copied by scene_begin. */
void scene_make_template(void);
void scene_remove_template(void);

/* A store of its own, not opened, with what the template holds. */
void scene_begin(struct scene *scene);
void scene_end(struct scene *scene);

/* Let all eight queue up behind a part that waits, then run `prepare` and let them go; wait for their
 * answers. */
void scene_run(struct scene *scene, void (*prepare)(struct scene *scene));

/*
 * Copy the files as they are and open the copy: what was answered with SA_OK is there, with its record;
 * nothing else is; records have no gap; the file is whole. Where the outcome is unknown, all of the batch is
 * there or nothing. Returns NULL, or what is wrong.
 */
const char *scene_check(struct scene *scene);

/* How many of the eight were answered with this. */
unsigned scene_count(const struct scene *scene, enum sa_status status);

#endif
