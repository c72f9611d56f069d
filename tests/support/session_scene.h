/* A store with one person and one client, for tests of sessions. cmocka's headers come first. */
#ifndef SA_TESTS_SESSION_SCENE_H
#define SA_TESTS_SESSION_SCENE_H

#include "tests/support/store_fixture.h"

struct scene {
    struct fixture *fixture;
    struct sa_store *store;
    char subject[SA_ID_LEN + 1];
    uint32_t client;
};

static inline struct scene
begin(void **state)
{
    struct scene scene = {.fixture = *state};

    scene.store = scene.fixture->store;
    assert_int_equal(fixture_add_user(*state, "ann", 1000, scene.subject), SA_OK);
    assert_int_equal(fixture_add_client(*state, "app", &scene.client), SA_OK);
    return scene;
}

static inline enum sa_status
end(struct scene *scene, const char *id)
{
    struct sa_audit audit = sa_audit(SA_EVENT_SESSION_REVOKE);

    return sa_store_session_end(scene->store, id, FIXTURE_NOW_MS, &audit);
}

#endif
