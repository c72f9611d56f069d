#include <assert.h>
#include <stdlib.h>

#include "service/store/inside.h"

/* What a leaf is of: docs/audit.md describes it, and tests/unit/test_store_audit.c holds the two together. */
#define LEAF_PREFIX      0x00u
#define ENCODING_VERSION 1u
#define TEXTS            9u
#define NUMBERS          10u
#define LEAF_INPUT_MAX                                                                                       \
    (1 + SA_AUDIT_SALT_LEN + 1 + NUMBERS * 8 + TEXTS * 2 + (TEXTS - 1) * SA_AUDIT_TEXT_MAX +                 \
     SA_AUDIT_DETAIL_MAX)

static_assert((TEXTS - 1) * (SA_AUDIT_TEXT_MAX + 1) + SA_AUDIT_DETAIL_MAX + 1 <=
                  sizeof(((struct sa_audit_row *)NULL)->texts),
              "the longest texts fit a row");

/* ---- events ---- */

const char *
sa_event_name(enum sa_event event)
{
    switch (event) {
#define EVENT(name, number, words)                                                                           \
    case SA_EVENT_##name:                                                                                    \
        return #name;
#include "service/store/event.def"
#undef EVENT
    default:
        return NULL;
    }
}

enum sa_event
sa_event_from_name(const char *name)
{
#define EVENT(event, number, words)                                                                          \
    if (strcmp(name, #event) == 0)                                                                           \
        return SA_EVENT_##event;
#include "service/store/event.def"
#undef EVENT
    return (enum sa_event)0;
}

struct sa_audit
sa_audit(enum sa_event event)
{
    return (struct sa_audit){.event = event,
                             .outcome = SA_OUTCOME_GRANTED,
                             .actor_uid = -1,
                             .acting_uid = -1,
                             .actor_pid = -1,
                             .login_uid = -1,
                             .audit_session = -1};
}

/* ---- one order of the fields for the encoding, the insert and the list ---- */

static void
texts_of(const struct sa_audit *record, struct sa_bytes ret_texts[TEXTS])
{
    const char *texts[TEXTS] = {record->reason,    record->user,       record->subject,
                                record->client_id, record->session_id, record->service,
                                record->source,    record->gateway,    record->detail};

    for (unsigned i = 0; i < TEXTS; i++) {
        size_t most = i == TEXTS - 1 ? SA_AUDIT_DETAIL_MAX : SA_AUDIT_TEXT_MAX;

        ret_texts[i] = sa_bytes(texts[i], texts[i] == NULL ? 0 : strnlen(texts[i], most));
    }
}

static void
numbers_of(const struct sa_audit *record, uint64_t sequence, int64_t ret_numbers[NUMBERS])
{
    const int64_t numbers[NUMBERS] = {
        (int64_t)sequence,           record->time_ms,      (int64_t)record->event, (int64_t)record->outcome,
        (int64_t)record->request_id, record->actor_uid,    record->acting_uid,     record->actor_pid,
        record->login_uid,           record->audit_session};

    memcpy(ret_numbers, numbers, sizeof(numbers));
}

static uint8_t *
put_big_endian(uint8_t *at, uint64_t value, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    return at + len;
}

void
sa_audit_leaf(const struct sa_audit *record, uint64_t sequence, const uint8_t salt[SA_AUDIT_SALT_LEN],
              uint8_t ret_leaf[SA_LEAF_LEN])
{
    uint8_t input[LEAF_INPUT_MAX];
    uint8_t *at = input;
    struct sa_bytes texts[TEXTS];
    int64_t numbers[NUMBERS];

    texts_of(record, texts);
    numbers_of(record, sequence, numbers);
    *at++ = LEAF_PREFIX;
    memcpy(at, salt, SA_AUDIT_SALT_LEN);
    at += SA_AUDIT_SALT_LEN;
    *at++ = ENCODING_VERSION;
    for (unsigned i = 0; i < NUMBERS; i++)
        at = put_big_endian(at, (uint64_t)numbers[i], 8);
    for (unsigned i = 0; i < TEXTS; i++) {
        at = put_big_endian(at, texts[i].len, 2);
        if (texts[i].len > 0)
            memcpy(at, texts[i].data, texts[i].len);
        at += texts[i].len;
    }
    sa_sha256(sa_bytes(input, (size_t)(at - input)), ret_leaf);
}

#define COLUMNS                                                                                              \
    "sequence, time_ms, event, outcome, request_id, actor_uid, acting_uid, actor_pid, login_uid, "           \
    "audit_session, reason, user, subject, client_id, session_id, service, source, gateway, detail, salt, "  \
    "leaf"

enum sa_status
sa_audit_insert(struct sa_sql *sql, const struct sa_audit *record, uint64_t sequence,
                const uint8_t salt[SA_AUDIT_SALT_LEN])
{
    static const char INSERT[] = "INSERT INTO audit (" COLUMNS ") "
                                 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    uint8_t leaf[SA_LEAF_LEN];
    struct sa_bytes texts[TEXTS];
    int64_t numbers[NUMBERS];

    assert(sa_event_name(record->event) != NULL && record->outcome >= SA_OUTCOME_GRANTED &&
           record->outcome <= SA_OUTCOME_FAILED);
    texts_of(record, texts);
    numbers_of(record, sequence, numbers);
    sa_audit_leaf(record, sequence, salt, leaf);

    SA_QUERY(query, sql, INSERT);
    for (unsigned i = 0; i < NUMBERS; i++)
        sa_put_int(&query, numbers[i]);
    for (unsigned i = 0; i < TEXTS; i++) {
        if (texts[i].len == 0)
            sa_put_null(&query);
        else
            sa_put_bytes(&query, texts[i]);
    }
    sa_put_blob(&query, salt, SA_AUDIT_SALT_LEN);
    sa_put_blob(&query, leaf, SA_LEAF_LEN);
    return sa_query_run(&query);
}

/* The row that the query stands on. */
static enum sa_status
read_row(struct sa_query *query, struct sa_audit_row *row, uint8_t ret_salt[SA_AUDIT_SALT_LEN])
{
    struct sa_audit *record = &row->record;
    const char **texts[TEXTS] = {&record->reason,    &record->user,       &record->subject,
                                 &record->client_id, &record->session_id, &record->service,
                                 &record->source,    &record->gateway,    &record->detail};
    char *buffer = row->texts;
    size_t room = sizeof(row->texts);

    row->sequence = (uint64_t)sa_get_int(query);
    record->time_ms = sa_get_int(query);
    record->event = (enum sa_event)sa_get_int(query);
    record->outcome = (enum sa_outcome)sa_get_int(query);
    record->request_id = (uint64_t)sa_get_int(query);
    record->actor_uid = sa_get_int(query);
    record->acting_uid = sa_get_int(query);
    record->actor_pid = sa_get_int(query);
    record->login_uid = sa_get_int(query);
    record->audit_session = sa_get_int(query);
    for (unsigned i = 0; i < TEXTS; i++)
        *texts[i] = sa_get_text_from(query, &buffer, &room);
    bool whole = sa_get_blob(query, ret_salt, SA_AUDIT_SALT_LEN) == SA_AUDIT_SALT_LEN &&
                 sa_get_blob(query, row->leaf, SA_LEAF_LEN) == SA_LEAF_LEN;
    enum sa_status status = sa_query_done(query);
    return status == SA_OK && !whole ? SA_INTERNAL : status;
}

/* ---- what callers see ---- */

enum sa_status
sa_store_audit(struct sa_store *store, const struct sa_audit *audit)
{
    struct sa_work work = sa_work(NULL, NULL, audit);

    return sa_store_write(store, &work);
}

struct sa_work *
sa_store_audit_work(struct sa_arena *arena, const struct sa_audit *audit)
{
    struct sa_work *work = sa_arena_alloc(arena, sizeof(*work));

    if (work != NULL)
        *work = sa_work(NULL, NULL, audit);
    return work;
}

struct listing {
    const struct sa_audit_query *query;
    struct sa_audit_row *rows;
    unsigned count;
    bool more;
};

#define SELECT_WHERE                                                                                         \
    "SELECT " COLUMNS " FROM audit WHERE sequence > ?1 AND (?2 IS NULL OR user = ?2) "                       \
    "AND (?3 = 0 OR event = ?3) AND (?4 = 0 OR request_id = ?4) ORDER BY sequence "

static enum sa_status
read_rows(struct sa_sql *sql, void *context)
{
    static const char OLDEST[] = SELECT_WHERE "LIMIT ?5";
    static const char NEWEST[] = SELECT_WHERE "DESC LIMIT ?5";
    struct listing *listing = context;
    const struct sa_audit_query *wanted = listing->query;
    uint8_t salt[SA_AUDIT_SALT_LEN];
    enum sa_status status;

    SA_QUERY(query, sql, wanted->newest ? NEWEST : OLDEST);
    sa_put_int(&query, wanted->after_sequence > INT64_MAX ? INT64_MAX : (int64_t)wanted->after_sequence);
    sa_put_text_or_null(&query, wanted->user);
    sa_put_int(&query, (int64_t)wanted->event);
    sa_put_int(&query, (int64_t)wanted->request_id);
    sa_put_int(&query, (int64_t)wanted->limit + 1);
    while ((status = sa_query_step(&query)) == SA_OK) {
        if (listing->count == wanted->limit) {
            listing->more = true;
            return SA_OK;
        }
        status = read_row(&query, &listing->rows[listing->count++], salt);
        if (status != SA_OK)
            return status;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

/* The texts live in their row, so they move with it. */
static void
swap_rows(struct sa_audit_row *a, struct sa_audit_row *b)
{
    struct sa_audit_row kept = *a;
    struct sa_audit_row *both[] = {a, b};
    const struct sa_audit_row *from[] = {b, a};

    *a = *b;
    *b = kept;
    for (unsigned i = 0; i < SA_COUNT(both); i++) {
        struct sa_audit *record = &both[i]->record;
        const char **texts[TEXTS] = {&record->reason,    &record->user,       &record->subject,
                                     &record->client_id, &record->session_id, &record->service,
                                     &record->source,    &record->gateway,    &record->detail};

        for (unsigned text = 0; text < TEXTS; text++)
            *texts[text] = both[i]->texts + (*texts[text] - from[i]->texts);
    }
}

enum sa_status
sa_store_audit_list(struct sa_store *store, const struct sa_audit_query *query,
                    struct sa_audit_row **ret_rows, unsigned *ret_count, bool *ret_more)
{
    struct listing listing = {.query = query};

    assert(query->limit >= 1 && query->limit <= SA_PAGE_MAX);
    listing.rows = calloc(query->limit, sizeof(*listing.rows));
    if (listing.rows == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read_rows, &listing);
    if (status != SA_OK) {
        free(listing.rows);
        return status;
    }
    for (unsigned i = 0; query->newest && i < listing.count / 2; i++)
        swap_rows(&listing.rows[i], &listing.rows[listing.count - 1 - i]);
    *ret_rows = listing.rows;
    *ret_count = listing.count;
    *ret_more = listing.more && !query->newest;
    return SA_OK;
}

enum sa_status
sa_audit_verify(struct sa_sql *sql, unsigned count, uint64_t *ret_sequence)
{
    static const char TAIL[] = "SELECT " COLUMNS " FROM audit ORDER BY sequence DESC LIMIT ?";
    struct sa_audit_row row;
    uint8_t salt[SA_AUDIT_SALT_LEN];
    uint8_t leaf[SA_LEAF_LEN];
    uint64_t last = 0;
    uint64_t expected = 0;
    enum sa_status status;

    SA_QUERY(query, sql, TAIL);
    sa_put_int(&query, count);
    for (unsigned seen = 0; (status = sa_query_step(&query)) == SA_OK; seen++) {
        status = read_row(&query, &row, salt);
        if (status != SA_OK)
            return status;
        if (seen == 0)
            last = row.sequence;
        else if (row.sequence != expected)
            return SA_INTERNAL;
        sa_audit_leaf(&row.record, row.sequence, salt, leaf);
        if (memcmp(leaf, row.leaf, sizeof(leaf)) != 0)
            return SA_INTERNAL;
        expected = row.sequence - 1;
        if (seen + 1 < count)
            continue;
        *ret_sequence = last;
        return SA_OK;
    }
    if (status != SA_NOT_FOUND)
        return status;
    /* Fewer than asked for: the first of all must have been among them. */
    if (expected != 0)
        return SA_INTERNAL;
    *ret_sequence = last;
    return SA_OK;
}
