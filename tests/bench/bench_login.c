/*
 * A login through the module against the hash alone, in turns.
 *
 *     bench_login CONFDIR USER ROUNDS KIB PASSES DAEMON               stdin: the password
 *
 * Prints what the module adds in milliseconds, the hash in milliseconds, and hash / login. What it adds is
 * the median of the differences within a turn, for the hash itself drifts from one second to the next; and as
 * two hashes in a row differ by more than all the rest takes, "spread=" is where that median lies with 95%.
 * The same in two parts: "rest=" is what the login took beside the daemon's thread that hashed, "hash=" is
 * how long that was on a processor, or waited for one, less the hash alone. CONFDIR holds a PAM service
 * `bench`.
 *
 *     bench_login CONFDIR USER ROUNDS KIB PASSES DAEMON WORKERS SECONDS
 *
 * The same, as many at once as the daemon can. Prints logins a second, hashes a second by WORKERS threads (as
 * many as the daemon has), and their ratio; each is measured for SECONDS in a turn.
 */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <security/pam_appl.h>
#include <sodium.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define ROUNDS_MAX  1000
#define THREADS_MAX 512
#define CALLERS     6u /* for each worker of the daemon, so that none of them ever waits for one */

static char password[256];
static size_t bytes; /* of a hash, with its passes */
static unsigned long long passes;

static int
answer(int count, const struct pam_message **messages, struct pam_response **ret_responses, void *unused)
{
    struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

    (void)unused;
    if (responses == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++)
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
            responses[i].resp = strdup(password);
    *ret_responses = responses;
    return PAM_SUCCESS;
}

/* From an address of its own: sources take turns, and none has all of the queue. */
static void
log_in(const char *confdir, const char *user, unsigned from)
{
    char rhost[32];
    struct pam_conv conversation = {.conv = answer};
    pam_handle_t *handle;

    int status = pam_start_confdir("bench", user, &conversation, confdir, &handle);
    snprintf(rhost, sizeof(rhost), "198.51.%u.%u", from / 250, 1 + from % 250);
    if (status == PAM_SUCCESS)
        status = pam_set_item(handle, PAM_RHOST, rhost);
    if (status == PAM_SUCCESS)
        status = pam_authenticate(handle, 0);
    if (status != PAM_SUCCESS)
        give_up("the login failed: %s", pam_strerror(NULL, status));
    pam_end(handle, status);
}

static void
hash(void)
{
    uint8_t out[32], salt[crypto_pwhash_SALTBYTES] = {1};

    if (crypto_pwhash(out, sizeof(out), password, strlen(password), salt, passes, bytes,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        give_up("no memory for a hash");
}

/* ---- one after the other ---- */

/* The daemon's threads: how long each was on a processor or waited for one, by the scheduler. */
struct threads {
    size_t count;
    int files[THREADS_MAX];
    double busy_ms[THREADS_MAX];
};

static void
threads_open(pid_t daemon, struct threads *ret_threads)
{
    char path[64];
    struct dirent *entry;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)daemon);
    DIR *folder = opendir(path);
    if (folder == NULL)
        give_up("there is no process %d", (int)daemon);
    ret_threads->count = 0;
    while ((entry = readdir(folder)) != NULL && ret_threads->count < THREADS_MAX) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)daemon, atoi(entry->d_name));
        int file = open(path, O_RDONLY);
        if (file < 0)
            give_up("%s cannot be read", path);
        ret_threads->files[ret_threads->count++] = file;
    }
    closedir(folder);
}

/* How long the busiest of them was that since the last look: in a login, that is the one that hashed. */
static double
threads_look(struct threads *threads)
{
    double most_ms = 0;

    for (size_t i = 0; i < threads->count; i++) {
        char text[96];
        ssize_t len = pread(threads->files[i], text, sizeof(text) - 1, 0);
        if (len <= 0)
            give_up("a thread of the daemon is gone");
        text[len] = '\0';
        char *end;
        double busy_ms = strtod(text, &end) / 1e6 + strtod(end, NULL) / 1e6;
        most_ms = fmax(most_ms, busy_ms - threads->busy_ms[i]);
        threads->busy_ms[i] = busy_ms;
    }
    return most_ms;
}

/* Sorted numbers of any distribution: their median lies within, 95 times in 100. */
static void
print_spread(const double *sorted, size_t count)
{
    size_t off = (size_t)ceil(0.98 * sqrt((double)count)); /* of a binomial distribution, normally */
    size_t middle = count / 2;

    off = off < middle ? off : middle;
    size_t last = middle + off < count ? middle + off : count - 1;
    printf("spread=%.2f..%.2fms", sorted[middle - off], sorted[last]);
}

static void
measure_added(const char *confdir, const char *user, size_t rounds, pid_t daemon)
{
    static double added_ms[ROUNDS_MAX], hashes_ms[ROUNDS_MAX], rest_ms[ROUNDS_MAX], ours_ms[ROUNDS_MAX];
    static struct threads threads;

    threads_open(daemon, &threads);
    for (size_t i = 0; i < rounds; i++) {
        (void)threads_look(&threads);
        uint64_t start_ns = now_ns();
        hash();
        uint64_t middle_ns = now_ns();
        log_in(confdir, user, 0);
        double login_ms = (double)(now_ns() - middle_ns) / 1e6;
        double busy_ms = threads_look(&threads);
        hashes_ms[i] = (double)(middle_ns - start_ns) / 1e6;
        added_ms[i] = login_ms - hashes_ms[i];
        rest_ms[i] = login_ms - busy_ms;
        ours_ms[i] = busy_ms - hashes_ms[i];
    }
    double added = median(added_ms, rounds), hash_ms = median(hashes_ms, rounds);
    printf("%.2f %.2f %.3f ", added, hash_ms, hash_ms / (hash_ms + added));
    print_spread(added_ms, rounds); /* median has sorted them */
    printf(" rest=%.2fms hash=%.2fms\n", median(rest_ms, rounds), median(ours_ms, rounds));
}

/* ---- as many as there can be ---- */

struct crowd {
    const char *confdir; /* NULL: the hash alone */
    const char *user;
    uint64_t end_ns;
    pthread_mutex_t lock;
    unsigned threads;
    size_t count;
    uint64_t first_ns;
    uint64_t last_ns;
};

static void *
work(void *argument)
{
    struct crowd *crowd = argument;

    pthread_mutex_lock(&crowd->lock);
    unsigned number = crowd->threads++;
    pthread_mutex_unlock(&crowd->lock);
    while (now_ns() < crowd->end_ns) {
        if (crowd->confdir == NULL)
            hash();
        else
            log_in(crowd->confdir, crowd->user, number);
        pthread_mutex_lock(&crowd->lock);
        crowd->last_ns = now_ns();
        if (crowd->count++ == 0)
            crowd->first_ns = crowd->last_ns;
        pthread_mutex_unlock(&crowd->lock);
    }
    return NULL;
}

struct done {
    double rate;   /* a second, from the first that is done to the last */
    double cpu_ms; /* for each, of the process that hashes */
};

static struct done
do_many(const char *confdir, const char *user, size_t threads, double seconds, clockid_t cpu)
{
    struct crowd crowd = {.confdir = confdir, .user = user};
    pthread_t ids[THREADS_MAX];
    uint64_t before_ns = clock_ns(cpu);

    crowd.end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    pthread_mutex_init(&crowd.lock, NULL);
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, &crowd) != 0)
            give_up("no thread");
    for (size_t i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    pthread_mutex_destroy(&crowd.lock);
    if (crowd.count < 3)
        give_up("too little was done to be measured");
    return (struct done){(double)(crowd.count - 1) * 1e9 / (double)(crowd.last_ns - crowd.first_ns),
                         (double)(clock_ns(cpu) - before_ns) / 1e6 / (double)crowd.count};
}

static void
measure_rate(const char *confdir, const char *user, size_t rounds, size_t workers, double seconds,
             pid_t daemon)
{
    static double ratios[ROUNDS_MAX], limits[ROUNDS_MAX], cpus[ROUNDS_MAX];
    clockid_t cpu;

    if (clock_getcpuclockid(daemon, &cpu) != 0)
        give_up("there is no process %d", (int)daemon);
    for (size_t i = 0; i < rounds; i++) {
        struct done limit = do_many(NULL, NULL, workers, seconds, CLOCK_PROCESS_CPUTIME_ID);
        struct done ours = do_many(confdir, user, workers * CALLERS, seconds, cpu);
        limits[i] = limit.rate;
        ratios[i] = ours.rate / limit.rate;
        cpus[i] = limit.cpu_ms / ours.cpu_ms;
    }
    double ratio = median(ratios, rounds), limit = median(limits, rounds);
    printf("%.2f %.2f %.3f cpu=%.3f\n", ratio * limit, limit, ratio, median(cpus, rounds));
}

int
main(int argc, char **argv)
{
    size_t rounds = argc >= 7 ? (size_t)atol(argv[3]) : 0;
    size_t workers = argc == 9 ? (size_t)atol(argv[7]) : 0;

    if (rounds < 1 || rounds > ROUNDS_MAX || workers * CALLERS > THREADS_MAX || (argc != 7 && workers < 1) ||
        fgets(password, sizeof(password), stdin) == NULL || sodium_init() < 0)
        give_up("usage: bench_login CONFDIR USER ROUNDS KIB PASSES DAEMON [WORKERS SECONDS] < PASSWORD");
    password[strcspn(password, "\n")] = '\0';
    bytes = (size_t)atol(argv[4]) * 1024;
    passes = (unsigned long long)atol(argv[5]);
    pid_t daemon = (pid_t)atol(argv[6]);
    log_in(argv[1], argv[2], 0);
    if (workers == 0)
        measure_added(argv[1], argv[2], rounds, daemon);
    else
        measure_rate(argv[1], argv[2], rounds, workers, atof(argv[8]), daemon);
    return 0;
}
