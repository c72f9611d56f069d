#include "service/gateway/front_expiry.h"

#include "service/base/log.h"

#define DAY_S        INT64_C(86400)
#define LOOK_EACH_MS (60 * 60 * 1000) /* the wall clock may have been set meanwhile */
#define AGEING_PART  3                /* of a life: what is left when it is time to renew */
#define NEVER_S      INT64_MAX

/* The certificate that expires first. */
struct soonest {
    const char *file;
    int64_t left_s; /* not positive: it has expired */
    int64_t life_s;
};

static int64_t
seconds_between(const ASN1_TIME *from, const ASN1_TIME *to)
{
    int days = 0, seconds = 0;

    return ASN1_TIME_diff(&days, &seconds, from, to) == 1 ? days * DAY_S + seconds : NEVER_S;
}

static void
take_sooner(struct soonest *soonest, const X509 *certificate, const char *file)
{
    const ASN1_TIME *until = X509_get0_notAfter(certificate);
    int64_t left_s = seconds_between(NULL, until); /* NULL: now */

    if (left_s >= soonest->left_s)
        return;
    soonest->file = file;
    soonest->left_s = left_s;
    soonest->life_s = seconds_between(X509_get0_notBefore(certificate), until);
}

static struct soonest
find_soonest(const struct sa_front_expiry *expiry)
{
    struct soonest soonest = {.left_s = NEVER_S};
    const STACK_OF(X509_OBJECT) *trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(expiry->ctx));

    take_sooner(&soonest, SSL_CTX_get0_certificate(expiry->ctx), expiry->files->cert);
    for (int i = 0; i < sk_X509_OBJECT_num(trusted); i++) {
        const X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, i));
        if (certificate != NULL)
            take_sooner(&soonest, certificate, expiry->files->client_ca);
    }
    return soonest;
}

static enum sa_front_expiry_stage
stage_of(const struct soonest *soonest)
{
    if (soonest->left_s <= 0)
        return SA_FRONT_EXPIRED;
    return soonest->left_s < soonest->life_s / AGEING_PART ? SA_FRONT_AGEING : SA_FRONT_FRESH;
}

static void
tell(const struct soonest *soonest, enum sa_front_expiry_stage stage)
{
    if (stage == SA_FRONT_EXPIRED)
        sa_log(SA_LOG_ERROR, "%s: a certificate has expired: renew it, then reload (SIGHUP)", soonest->file);
    else
        sa_log(SA_LOG_WARNING, "%s: a certificate expires in %lld %s: renew it, then reload (SIGHUP)",
               soonest->file,
               (long long)(soonest->left_s >= 2 * DAY_S ? soonest->left_s / DAY_S : soonest->left_s),
               soonest->left_s >= 2 * DAY_S ? "days" : "seconds");
}

static int64_t
ms_to_next_stage(const struct soonest *soonest, enum sa_front_expiry_stage stage)
{
    int64_t in_s = stage == SA_FRONT_FRESH    ? soonest->left_s - soonest->life_s / AGEING_PART + 1
                   : stage == SA_FRONT_AGEING ? soonest->left_s + 1
                                              : DAY_S;

    return in_s * 1000 < LOOK_EACH_MS ? in_s * 1000 : LOOK_EACH_MS;
}

static void
look(struct sa_loop_timer *timer)
{
    struct sa_front_expiry *expiry =
        (struct sa_front_expiry *)((char *)timer - offsetof(struct sa_front_expiry, timer));
    struct soonest soonest = find_soonest(expiry);
    enum sa_front_expiry_stage stage = stage_of(&soonest);
    int64_t now_ms = sa_loop_now_ms();

    if (stage != SA_FRONT_FRESH && (stage != expiry->stage || now_ms - expiry->told_ms >= DAY_S * 1000)) {
        tell(&soonest, stage);
        expiry->told_ms = now_ms;
    }
    expiry->stage = stage;
    sa_loop_arm(expiry->loop, timer, ms_to_next_stage(&soonest, stage));
}

void
sa_front_expiry_watch(struct sa_front_expiry *expiry, struct sa_loop *loop, const SSL_CTX *ctx,
                      const struct sa_front_files *files)
{
    expiry->loop = loop;
    expiry->ctx = ctx;
    expiry->files = files;
    expiry->stage = SA_FRONT_FRESH;
    expiry->timer.due = look;
    look(&expiry->timer);
}

void
sa_front_expiry_forget(struct sa_front_expiry *expiry)
{
    if (expiry->loop != NULL)
        sa_loop_disarm(expiry->loop, &expiry->timer);
}
