/*
 * The master key of the store, and its rotation. `master_keys` has a row for each that something may be
 * sealed with: none before the first rotation, one after it, two while one is under way. The writer's thread
 * alone seals, and the rows are gone through after it has begun to seal with the new one: what was passed
 * stays new.
 */
#include <stdio.h>

#include "service/base/log.h"
#include "service/store/inside.h"

#define EPOCHS        255 /* a byte, and 0 is none */
#define BATCH_ROWS    200u
#define RETRY_MS      5000
#define REFUSED_MS    60000 /* before what could not be opened is tried again */
#define REMEMBERED_MS 60000 /* of the old one, after the end: no snapshot that is read is older */
#define SEALED_MAX    (SA_JWT_PRIVATE_MAX + SA_SEAL_OVERHEAD)

static_assert(SA_PASSWORD_HASH_MAX <= SA_JWT_PRIVATE_MAX, "every sealed value fits");
static_assert(SA_KID_LEN < SA_SEALED_ROW_SIZE && SA_ID_LEN < SA_SEALED_ROW_SIZE, "every row's name does");

/* The sealed columns. A row is known by a text, and a number where that is not enough. */
static const struct sealed_column {
    const char *table;
    const char *column;
    const char *list; /* after ?1, ?2; at most ?4 of them; whether each has the epoch ?3, or nothing */
    const char *get;
    const char *set;
} columns[] = {
    {"users", "hash",
     "SELECT subject, 0, hash IS NULL OR substr(hash, 1, 1) = ?3 FROM users "
     "WHERE subject > ?1 AND ?2 IS NOT NULL ORDER BY subject LIMIT ?4",
     "SELECT hash FROM users WHERE subject = ?1 AND ?2 IS NOT NULL",
     "UPDATE users SET hash = ?3 WHERE subject = ?1 AND ?2 IS NOT NULL"},
    {"totp", "key",
     "SELECT subject, armed, substr(key, 1, 1) = ?3 FROM totp "
     "WHERE (subject, armed) > (?1, ?2) ORDER BY subject, armed LIMIT ?4",
     "SELECT key FROM totp WHERE subject = ?1 AND armed = ?2",
     "UPDATE totp SET key = ?3 WHERE subject = ?1 AND armed = ?2"},
    {"signing_keys", "private",
     "SELECT kid, 0, substr(private, 1, 1) = ?3 FROM signing_keys "
     "WHERE kid > ?1 AND ?2 IS NOT NULL ORDER BY kid LIMIT ?4",
     "SELECT private FROM signing_keys WHERE kid = ?1 AND ?2 IS NOT NULL",
     "UPDATE signing_keys SET private = ?3 WHERE kid = ?1 AND ?2 IS NOT NULL"},
};

static uint8_t
epoch_of(int64_t number)
{
    return (uint8_t)((number - 1) % EPOCHS + 1);
}

/* ---- what the store says ---- */

struct rows {
    unsigned count;
    int64_t numbers[2];
    struct sa_kept kept[2];
};

static enum sa_status
read_rows(struct sa_sql *sql, struct rows *ret_rows)
{
    static const char ROWS[] = "SELECT number, kept FROM master_keys ORDER BY number";
    enum sa_status status;

    *ret_rows = (struct rows){.count = 0};
    SA_QUERY(query, sql, ROWS);
    while ((status = sa_query_step(&query)) == SA_OK && ret_rows->count < SA_COUNT(ret_rows->kept)) {
        struct sa_kept *kept = &ret_rows->kept[ret_rows->count];

        ret_rows->numbers[ret_rows->count] = sa_get_int(&query);
        kept->epoch = epoch_of(ret_rows->numbers[ret_rows->count++]);
        kept->len = sa_get_blob(&query, kept->sealed, sizeof(kept->sealed));
    }
    if (status == SA_OK)
        return SA_INTERNAL;
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

/* How much is sealed with another master key than the present one. */
static enum sa_status
count_left(struct sa_sql *sql, void *context)
{
    static const char COUNT[] = "SELECT (SELECT count(*) FROM users WHERE substr(hash, 1, 1) <> ?1) + "
                                "(SELECT count(*) FROM totp WHERE substr(key, 1, 1) <> ?1) + "
                                "(SELECT count(*) FROM signing_keys WHERE substr(private, 1, 1) <> ?1)";
    struct sa_store *store = context;
    uint8_t epoch = sa_keyring_epoch(store->keyring);

    SA_QUERY(query, sql, COUNT);
    sa_put_blob(&query, &epoch, sizeof(epoch));
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    atomic_store(&store->master.left, (uint64_t)sa_get_int(&query));
    return sa_query_done(&query);
}

enum sa_status
sa_master_load(struct sa_store *store, const char **ret_why)
{
    struct rows rows;
    enum sa_status status = read_rows(store->writer.sql, &rows);

    *ret_why = "what the store says of its master key cannot be read" SA_STORE_ADVICE;
    if (status == SA_OK)
        status = sa_keyring_settle(store->keyring, rows.kept, rows.count, ret_why);
    if (status != SA_OK)
        return status;
    atomic_store(&store->master.number, rows.count == 0 ? 1 : rows.numbers[rows.count - 1]);
    atomic_store(&store->master.rotates, rows.count == 2);
    return rows.count == 2 ? count_left(store->writer.sql, store) : SA_OK;
}

struct sa_master_state
sa_store_master_state(struct sa_store *store)
{
    struct sa_master *master = &store->master;

    return (struct sa_master_state){.number = (uint64_t)atomic_load(&master->number),
                                    .rotates = atomic_load(&master->rotates),
                                    .resealed = atomic_load(&master->resealed),
                                    .left = atomic_load(&master->left)};
}

/* ---- the beginning ---- */

struct beginning {
    int64_t number; /* of the present one */
    struct sa_kept kept[2];
};

/* The row of the present one may be there. */
static enum sa_status
begin(struct sa_sql *sql, struct sa_work *work)
{
    static const char INSERT[] = "INSERT OR IGNORE INTO master_keys (number, kept) VALUES (?, ?)";
    const struct beginning *beginning = work->context;
    enum sa_status status = SA_OK;

    for (int i = 0; status == SA_OK && i < 2; i++) {
        SA_QUERY(query, sql, INSERT);
        sa_put_int(&query, beginning->number + i);
        sa_put_blob(&query, beginning->kept[i].sealed, beginning->kept[i].len);
        status = sa_query_run(&query);
    }
    return status;
}

/* Under store->master.changing. */
static enum sa_status
rotate(struct sa_store *store, const struct sa_audit *audit)
{
    struct sa_master *master = &store->master;
    struct beginning beginning = {.number = atomic_load(&master->number)};
    uint8_t next = epoch_of(beginning.number + 1);
    char detail[32];

    if (atomic_load(&master->rotates))
        return SA_ALREADY_EXISTS;
    if (sa_disk_stage(store) != SA_DISK_NORMAL)
        return SA_STORAGE;
    enum sa_status status = sa_keyring_prepare(store->keyring, next);
    if (status == SA_STORAGE)
        sa_log(SA_LOG_ERROR, "the next master key cannot be written beside the present one");
    if (status == SA_OK)
        status = sa_keyring_keep(store->keyring, epoch_of(beginning.number), &beginning.kept[0]);
    if (status == SA_OK)
        status = sa_keyring_keep(store->keyring, next, &beginning.kept[1]);
    if (status != SA_OK)
        return status;
    struct sa_work work = sa_work(begin, &beginning, audit);
    snprintf(detail, sizeof(detail), "number=%lld", (long long)beginning.number + 1);
    work.record.detail = detail;
    status = sa_store_write(store, &work);
    if (status != SA_OK)
        return status; /* the key in the file is the store's or nobody's: the next start, or the next try,
                          sees */
    sa_keyring_switch(store->keyring);
    master->walk = (struct sa_master_walk){.column = 0};
    master->wait_boot_ms = 0;
    master->forget_boot_ms = 0;
    atomic_store(&master->number, beginning.number + 1);
    atomic_store(&master->resealed, 0);
    atomic_store(&master->rotates, true);
    (void)!sa_store_read(store, count_left, store); /* to be shown; the end asks again */
    return SA_OK;
}

enum sa_status
sa_store_master_rotate(struct sa_store *store, const struct sa_audit *audit)
{
    pthread_mutex_lock(&store->master.changing);
    enum sa_status status = rotate(store, audit);
    pthread_mutex_unlock(&store->master.changing);
    return status;
}

/* ---- one batch ---- */

struct batch {
    const struct sa_keyring *keyring;
    const struct sealed_column *column;
    struct sa_master_walk walk; /* in: where it begins; out: where the next one does */
    unsigned resealed;
    unsigned count;
    struct sealed_row {
        char text[SA_SEALED_ROW_SIZE];
        int64_t number;
        bool done;
    } rows[BATCH_ROWS];
};

static enum sa_status
list(struct sa_sql *sql, struct batch *batch)
{
    uint8_t epoch = sa_keyring_epoch(batch->keyring);
    enum sa_status status;

    SA_QUERY(query, sql, batch->column->list);
    sa_put_text(&query, batch->walk.text);
    sa_put_int(&query, batch->walk.number);
    sa_put_blob(&query, &epoch, sizeof(epoch));
    sa_put_int(&query, BATCH_ROWS);
    while ((status = sa_query_step(&query)) == SA_OK) {
        struct sealed_row *row = &batch->rows[batch->count++];

        sa_get_text(&query, row->text, sizeof(row->text));
        row->number = sa_get_int(&query);
        row->done = sa_get_int(&query) != 0;
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

static enum sa_status
get(struct sa_sql *sql, const struct batch *batch, const struct sealed_row *row, uint8_t *ret_sealed,
    size_t *ret_len)
{
    SA_QUERY(query, sql, batch->column->get);
    sa_put_text(&query, row->text);
    sa_put_int(&query, row->number);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    *ret_len = sa_get_blob(&query, ret_sealed, SEALED_MAX);
    return sa_query_done(&query);
}

/* SA_INTERNAL: it does not open. It stays as it is, and both master keys with it. */
static enum sa_status
reseal(struct sa_sql *sql, const struct batch *batch, const struct sealed_row *row)
{
    const struct sealed_column *column = batch->column;
    struct sa_bytes name = sa_bytes_of(row->text);
    uint8_t sealed[SEALED_MAX];
    uint8_t plain[SA_JWT_PRIVATE_MAX];
    size_t len = 0;
    enum sa_status status = get(sql, batch, row, sealed, &len);

    if (status == SA_OK)
        status = sa_keyring_unseal(batch->keyring, column->table, column->column, name, sa_bytes(sealed, len),
                                   plain);
    if (status != SA_OK)
        return status;
    len -= SA_SEAL_OVERHEAD;
    sa_keyring_seal(batch->keyring, column->table, column->column, name, sa_bytes(plain, len), sealed);
    sa_wipe(plain, sizeof(plain));
    SA_QUERY(query, sql, column->set);
    sa_put_text(&query, row->text);
    sa_put_int(&query, row->number);
    sa_put_blob(&query, sealed, len + SA_SEAL_OVERHEAD);
    return sa_query_run(&query);
}

static enum sa_status
run_batch(struct sa_sql *sql, struct sa_work *work)
{
    struct batch *batch = work->context;
    enum sa_status status = list(sql, batch);

    for (unsigned i = 0; status == SA_OK && i < batch->count; i++) {
        const struct sealed_row *row = &batch->rows[i];
        if (row->done)
            continue;
        status = reseal(sql, batch, row);
        batch->resealed += status == SA_OK;
        if (status == SA_INTERNAL) {
            sa_log(SA_LOG_ERROR, "the master key's rotation cannot end: %s of %s does not open", row->text,
                   batch->column->table);
            batch->walk.refused = true;
            status = SA_OK;
        }
    }
    return status;
}

/* SA_OK: on to the next one. SA_NOT_FOUND: all rows were gone through. */
static enum sa_status
take_batch(struct sa_store *store)
{
    struct sa_master *master = &store->master;
    struct batch batch = {.keyring = store->keyring, .walk = master->walk};

    if (master->walk.column == SA_COUNT(columns))
        return SA_NOT_FOUND;
    batch.column = &columns[master->walk.column];
    struct sa_work work = sa_work(run_batch, &batch, NULL);
    enum sa_status status = sa_store_write(store, &work);
    if (status != SA_OK)
        return status;
    master->walk.refused = batch.walk.refused;
    if (batch.count < BATCH_ROWS) {
        master->walk =
            (struct sa_master_walk){.column = master->walk.column + 1, .refused = batch.walk.refused};
    } else {
        const struct sealed_row *last = &batch.rows[batch.count - 1];
        memcpy(master->walk.text, last->text, sizeof(last->text));
        master->walk.number = last->number;
    }
    uint64_t left = atomic_load(&master->left);
    atomic_store(&master->left, left > batch.resealed ? left - batch.resealed : 0);
    atomic_fetch_add(&master->resealed, batch.resealed);
    return SA_OK;
}

/* ---- the end ---- */

static enum sa_status
end(struct sa_sql *sql, struct sa_work *work)
{
    static const char DELETE[] = "DELETE FROM master_keys WHERE number < ?";
    const struct sa_store *store = work->context;

    SA_QUERY(query, sql, DELETE);
    sa_put_int(&query, (int64_t)atomic_load(&store->master.number));
    return sa_query_run(&query);
}

/* Everything was gone through; whether that was everything is seen once more. */
static enum sa_status
finish(struct sa_store *store, struct sa_now now)
{
    struct sa_master *master = &store->master;
    struct sa_audit record = sa_audit(SA_EVENT_MASTER_KEY_END);
    char detail[64];
    bool refused = master->walk.refused;

    master->walk = (struct sa_master_walk){.column = 0};
    enum sa_status status = sa_store_read(store, count_left, store);
    if (status != SA_OK)
        return status;
    if (refused || atomic_load(&master->left) > 0) {
        master->wait_boot_ms = now.boot_ms + REFUSED_MS;
        return SA_OK;
    }
    snprintf(detail, sizeof(detail), "number=%lld resealed=%llu", (long long)atomic_load(&master->number),
             (unsigned long long)atomic_load(&master->resealed));
    record.outcome = SA_OUTCOME_GRANTED;
    record.time_ms = now.wall_ms;
    record.detail = detail;
    struct sa_work work = sa_work(end, store, &record);
    status = sa_store_write(store, &work);
    if (status != SA_OK)
        return status;
    if (sa_keyring_adopt(store->keyring) != SA_OK)
        sa_log(SA_LOG_ERROR, "the new master key keeps its name until the next start: it cannot be renamed");
    master->forget_boot_ms = now.boot_ms + REMEMBERED_MS;
    atomic_store(&master->rotates, false);
    return SA_OK;
}

/* Under store->master.changing. */
static void
step(struct sa_store *store, struct sa_now now)
{
    struct sa_master *master = &store->master;
    enum sa_status status = take_batch(store);

    if (status == SA_NOT_FOUND)
        status = finish(store, now);
    if (status != SA_OK)
        master->wait_boot_ms = now.boot_ms + RETRY_MS;
}

void
sa_store_master_tick(struct sa_store *store, unsigned for_ms)
{
    struct sa_master *master = &store->master;
    struct sa_now began = sa_clock_now();
    struct sa_now now = began;

    pthread_mutex_lock(&master->changing);
    while (atomic_load(&master->rotates) && now.boot_ms >= master->wait_boot_ms &&
           now.boot_ms - began.boot_ms < for_ms && sa_disk_stage(store) == SA_DISK_NORMAL) {
        step(store, now);
        now = sa_clock_now();
    }
    if (master->forget_boot_ms > 0 && now.boot_ms >= master->forget_boot_ms) {
        sa_keyring_forget(store->keyring);
        master->forget_boot_ms = 0;
    }
    pthread_mutex_unlock(&master->changing);
}
