/* test_x509_chain.c: which chains lead to a group's signing certificates, and why the others do not: each case has one
 * defect and stands beside a twin without it, which is admitted; and which of several groups decides. All certificates
 * are made here, by OpenSSL. */
#include "core/attest/x509_cert.h"
#include "core/attest/x509_chain.h"

#include "x509_make.h"

#define ID "line7-unit042"

/* Four certificates, each signed by the one before: R (root), 1, 2 and L (leaf); what of them is sent and trusted. */
struct situation {
    struct wish root, one, two, leaf;
    const char *sent;    /* above the leaf; NULL: "21" */
    const char *trusted; /* by the one group; NULL: "R". S: a stranger with R's name; T: one with 2's name */
    const char *revoked; /* by whom and whom: "2L" */
    int crl_days;        /* how old its end is */
    const char *id;      /* that registers; NULL: ID */
    bool nameless;       /* the leaf has no CN */
    char by;             /* signs the leaf in the name of 2: L is itself, S and T strangers; 0: 2 */
    int more;            /* so many certificates that do not belong there are sent, too */
    int cut;             /* bytes that are missing at the end of what is sent */
};

struct pki {
    const struct made *root, *one, *two, *leaf, *stranger, *twin;
};

static struct wish named(struct wish w, const char *cn, const struct made *by)
{
    w.cn = w.cn ? w.cn : cn;
    w.by = by;
    w.ca = true;
    return w;
}

static const struct made *make_leaf(const struct situation *s, const struct pki *p)
{
    struct wish w = s->leaf;
    const struct made signer = {p->two->x, s->by == 'S' ? p->stranger->key : p->twin->key};
    w.cn = s->nameless ? NULL : w.cn ? w.cn : ID;
    w.by = s->by == 'L' ? NULL : s->by ? &signer : p->two;
    return make(w);
}

static struct pki make_pki(const struct situation *s)
{
    struct pki p = {0};
    p.root = make(named(s->root, "Root", NULL));
    p.one = make(named(s->one, "Region", p.root));
    p.two = make(named(s->two, "Plant", p.one));
    p.stranger = make((struct wish){.cn = "Root", .ca = true});
    p.twin = make((struct wish){.cn = "Plant", .ca = true, .by = p.stranger});
    p.leaf = make_leaf(s, &p);
    return p;
}

static const struct made *of(const struct pki *p, char which)
{
    switch (which) {
    case 'R':
        return p->root;
    case '1':
        return p->one;
    case '2':
        return p->two;
    case 'S':
        return p->stranger;
    case 'T':
        return p->twin;
    default:
        return p->leaf;
    }
}

static struct bytes chain_of(struct arena *a, const struct situation *s, const struct pki *p)
{
    struct text t;
    text_init(&t, a, 4096);
    for (const char *c = s->sent ? s->sent : "21"; *c; c++) {
        struct bytes der = made_der(a, of(p, *c));
        text_add(&t, (struct str){(const char *)der.p, der.n});
    }
    for (int i = 0; i < s->more; i++) {
        struct bytes der = made_der(a, p->stranger);
        text_add(&t, (struct str){(const char *)der.p, der.n});
    }
    return (struct bytes){(const uint8_t *)t.p, t.n - (size_t)s->cut};
}

static struct x509_trust trust_of(struct arena *a, const char *trusted, const struct pki *p)
{
    struct bytes *anchors = ARENA_NEW_ARRAY(a, strlen(trusted), struct bytes);
    for (size_t i = 0; trusted[i]; i++)
        anchors[i] = made_der(a, of(p, trusted[i]));
    return (struct x509_trust){.anchors = anchors, .anchor_count = strlen(trusted)};
}

static err_t check(struct arena *a, const struct situation *s, struct err_detail *d)
{
    struct pki p = make_pki(s);
    const struct presented presented = {.leaf = made_der(a, p.leaf), .chain = chain_of(a, s, &p)};
    const struct attest_claim claim = {&presented, STR("0ne1"), str_of(s->id ? s->id : ID), MADE_AT_US, NULL, NULL};
    struct x509_trust trust = trust_of(a, s->trusted ? s->trusted : "R", &p);
    struct bytes crl;
    size_t who = 7;
    if (s->revoked) {
        crl = made_crl(a, of(&p, s->revoked[0]), of(&p, s->revoked[1]), s->crl_days);
        trust.crls = &crl;
        trust.crl_count = 1;
    }
    err_t e = x509_chain_check(a, &claim, &trust, 1, d, NULL, &who, NULL);
    if (!e)
        assert_int_equal(who, 0);
    return e;
}

#define LONG_AGO .from_days = -9, .to_days = -1
#define SOON .from_days = 1, .to_days = 9
#define NOW .from_days = -9, .to_days = 9

static const struct {
    const char *defect, *words;
    struct situation bad, good;
} rows[] = {
    {"expired: the leaf", "of CN=" ID " has expired at", {.leaf = {LONG_AGO}}, {.leaf = {NOW}}},
    {"expired: the lower CA", "of CN=Plant has expired at", {.two = {LONG_AGO}}, {.two = {NOW}}},
    {"expired: the upper CA", "of CN=Region has expired at", {.one = {LONG_AGO}}, {.one = {NOW}}},
    {"expired: what is trusted", "of CN=Root has expired at", {.root = {LONG_AGO}}, {.root = {NOW}}},
    {"expired: a trusted lower CA", "of CN=Plant has expired", {.two = {LONG_AGO}, .trusted = "2"}, {.trusted = "2"}},
    {"not yet valid: the leaf", "of CN=" ID " is not valid before", {.leaf = {SOON}}, {.leaf = {NOW}}},
    {"not yet valid: the lower CA", "of CN=Plant is not valid before", {.two = {SOON}}, {.two = {NOW}}},
    {"not yet valid: what is trusted", "of CN=Root is not valid before", {.root = {SOON}}, {.root = {NOW}}},
    {"purpose: a server's leaf",
     "of CN=" ID " is not for this purpose",
     {.leaf = {.extended = "serverAuth"}},
     {.leaf = {.extended = "serverAuth,clientAuth"}}},
    {"purpose: a leaf for mail",
     "is not for this purpose",
     {.leaf = {.extended = "emailProtection"}},
     {.leaf = {.extended = ""}}},
    {"purpose: a leaf whose key may not sign",
     "is not for this purpose",
     {.leaf = {.usage = "critical,keyEncipherment"}},
     {.leaf = {.usage = "critical,keyAgreement"}}},
    {"purpose: a CA for servers",
     "of CN=Plant is not for this purpose",
     {.two = {.extended = "serverAuth"}},
     {.two = {.extended = "clientAuth"}}},
    {"purpose: a leaf in place of a CA",
     "of CN=Plant is none of a CA",
     {.two = {.basic = "critical,CA:FALSE"}},
     {.two = {.basic = "critical,CA:TRUE"}}},
    {"purpose: a CA by no word of it",
     "of CN=Plant is none of a CA",
     {.two = {.basic = "", .usage = ""}},
     {.two = {.usage = ""}}},
    {"purpose: a CA that may not sign",
     "of CN=Plant may not sign certificates",
     {.two = {.usage = "critical,digitalSignature"}},
     {.two = {.usage = "critical,digitalSignature,keyCertSign"}}},
    {"revoked: the leaf",
     "of CN=" ID " is revoked",
     {.revoked = "2L", .crl_days = 9},
     {.revoked = "21", .crl_days = 9}},
    {"revoked: the lower CA",
     "of CN=Plant is revoked",
     {.revoked = "12", .crl_days = 9},
     {.revoked = "1L", .crl_days = 9}},
    {"revoked: the upper CA",
     "of CN=Region is revoked",
     {.revoked = "R1", .crl_days = 9},
     {.revoked = "R2", .crl_days = 9}},
    {"revoked: by a CRL that is old",
     "of CN=" ID " is revoked",
     {.revoked = "2L", .crl_days = -1},
     {.revoked = "21", .crl_days = -1}},
    {"revoked: by what is trusted itself",
     "of CN=" ID " is revoked",
     {.revoked = "2L", .crl_days = 9, .trusted = "2"},
     {.revoked = "21", .crl_days = 9, .trusted = "2"}},
    {"CN: another id", "is CN=" ID "; its CN must be", {.id = "line7-unit043"}, {.id = "LINE7-unit042"}},
    {"CN: a beginning of the id", "its CN must be", {.leaf = {.cn = "line7"}}, {.leaf = {.cn = "Line7-Unit042"}}},
    {"CN: the id with more behind", "its CN must be", {.leaf = {.cn = ID " "}}, {.leaf = {.cn = ID}}},
    {"CN: none", "is O=nobody; its CN must be", {.nameless = true}, {.nameless = false}},
    {"CN: two", "its CN must be", {.leaf = {.second_cn = "other"}}, {.leaf = {.second_cn = NULL}}},
    {"too long: nine above the leaf", "the chain is too long", {.more = 7}, {.more = 6}},
    {"too long: for the root",
     "of CN=Root allows no chain as long",
     {.root = {.basic = "critical,CA:TRUE,pathlen:1"}},
     {.root = {.basic = "critical,CA:TRUE,pathlen:2"}}},
    {"too long: for a CA",
     "of CN=Region allows no chain as long",
     {.one = {.basic = "critical,CA:TRUE,pathlen:0"}},
     {.one = {.basic = "critical,CA:TRUE,pathlen:1"}}},
    {"too big: the leaf", "are too big: over 12 KiB", {.leaf = {.padding = 12288}}, {.leaf = {.padding = 8192}}},
    {"too big: a CA", "are too big: over 12 KiB", {.two = {.padding = 12288}}, {.two = {.padding = 8192}}},
    {"too big: all together",
     "are too big: over 12 KiB",
     {.leaf = {.padding = 4096}, .two = {.padding = 4096}, .one = {.padding = 4096}},
     {.leaf = {.padding = 3072}, .two = {.padding = 3072}, .one = {.padding = 3072}}},
    {"another's CA: with its root",
     "of CN=Root ends the chain, and is another CA's",
     {.sent = "21R", .trusted = "S"},
     {.sent = "21R", .trusted = "R"}},
    {"another's CA: of another name, with its root",
     "of CN=Elsewhere ends the chain, and is another CA's",
     {.root = {.cn = "Elsewhere"}, .sent = "21R", .trusted = "S"},
     {.root = {.cn = "Elsewhere"}, .sent = "21R", .trusted = "R"}},
    {"another's CA: without its root",
     "the certificate of CN=Elsewhere, which issued that of CN=Region, was not",
     {.root = {.cn = "Elsewhere"}, .trusted = "S"},
     {.root = {.cn = "Elsewhere"}, .trusted = "R"}},
    {"another's CA: a leaf that signed itself", "of CN=" ID " is self-signed", {.by = 'L', .sent = ""}, {.sent = "21"}},
    {"another's CA: an intermediate of the same name",
     "names CN=Plant as its issuer, which did not",
     {.sent = "", .trusted = "T"},
     {.sent = "", .trusted = "2"}},
    {"wrong issuer: a root of the same name",
     "of CN=Region names CN=Root as its issuer, which did not or may not sign it",
     {.trusted = "S"},
     {.trusted = "R"}},
    {"wrong issuer: signed by a stranger in its name",
     "of CN=" ID " is not signed with its issuer's key",
     {.by = 'S'},
     {.by = 0}},
    {"wrong issuer: signed by its twin in its name",
     "of CN=" ID " is not signed with its issuer's key",
     {.by = 'T', .sent = "", .trusted = "2"},
     {.sent = "", .trusted = "2"}},
    {"wrong issuer: its twin is sent in its place",
     "names CN=Plant as its issuer, which did not",
     {.sent = "T1"},
     {.sent = "T21"}},
    {"missing: both intermediates",
     "the certificate of CN=Plant, which issued that of CN=" ID ", was not presented",
     {.sent = ""},
     {.sent = "21"}},
    {"missing: the lower one",
     "the certificate of CN=Plant, which issued that of CN=" ID,
     {.sent = "1"},
     {.sent = "12"}},
    {"missing: the upper one",
     "the certificate of CN=Region, which issued that of CN=Plant, was not presented and is not",
     {.sent = "2"},
     {.sent = "2R1"}},
    {"missing: one above what is sent and trusted",
     "the certificate of CN=Plant, which issued",
     {.sent = "", .trusted = "1"},
     {.sent = "2", .trusted = "1"}},
    {"weak: a key of 1024 bits",
     "has a key or a signature that is too weak",
     {.leaf = {.rsa_bits = 1024}},
     {.leaf = {.rsa_bits = 2048}}},
    {"weak: a CA that signed over SHA-1",
     "has a key or a signature that is too weak",
     {.two = {.sha1 = true}},
     {.two = {.sha1 = false}}},
    {"a chain that is cut off", "a certificate of the chain cannot be read", {.cut = 1}, {.cut = 0}},
    {"the leaf itself is stored",
     "is itself a signing certificate",
     {.trusted = "L", .sent = ""},
     {.trusted = "L2", .sent = "", .leaf = {.cn = ID}}},
};

static void each_defect_refuses_with_its_reason_and_its_twin_is_admitted(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err_detail bad = {""}, good = {""};
        err_t refused = check(*state, &rows[i].bad, &bad), admitted = check(*state, &rows[i].good, &good);
        if (refused != E(UNAUTHORIZED) || admitted || !strstr(bad.text, rows[i].words))
            print_error("%s: \"%s\", its twin: \"%s\"\n", rows[i].defect, bad.text, good.text);
        assert_err(refused, UNAUTHORIZED);
        assert_ok(admitted);
        assert_says(bad, rows[i].words);
        made_down(NULL);
    }
    print_message("%zu defects, each beside its twin\n", sizeof rows / sizeof *rows);
}

/* --- several groups ----------------------------------------------------------------------------------------------- */

struct groups {
    struct pki pki;
    struct x509_trust trusts[3];
};

static struct groups make_groups(struct arena *a, const char *first, const char *second, const char *third)
{
    struct groups g = {.pki = make_pki(&(struct situation){.sent = NULL})};
    const char *all[] = {first, second, third};
    for (int i = 0; i < 3; i++)
        g.trusts[i] = trust_of(a, all[i], &g.pki);
    return g;
}

static err_t choose(struct arena *a, const struct groups *g, size_t count, struct err_detail *d, size_t *ret)
{
    const struct presented presented = {.leaf = made_der(a, g->pki.leaf),
                                        .chain = chain_of(a, &(struct situation){.sent = "21R"}, &g->pki)};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR(ID), MADE_AT_US, NULL, NULL};
    return x509_chain_check(a, &claim, g->trusts, count, d, NULL, ret, NULL);
}

static void the_nearest_issuer_decides(void **state)
{
    static const struct {
        const char *trusted[3];
        size_t who;
    } cases[] = {
        {{"R", "1", "2"}, 2}, {{"2", "1", "R"}, 0},   {{"1", "2", "R"}, 1},  {{"R", "S", "1"}, 2},
        {{"S", "T", "R"}, 2}, {{"RS", "1T", "T"}, 1}, {{"R2", "1", "S"}, 0}, {{"L", "R", "1"}, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *t = cases[i].trusted;
        struct groups g = make_groups(*state, t[0], t[1], t[2]);
        struct err_detail d = {""};
        size_t who = 9;
        assert_ok(choose(*state, &g, 3, &d, &who));
        assert_int_equal(who, cases[i].who);
    }
}

/* What refuses there is not made good by a group further up. */
static void a_flaw_below_the_nearest_is_no_matter_for_others(void **state)
{
    struct groups g = make_groups(*state, "R", "2", "1");
    struct bytes crl = made_crl(*state, g.pki.two, g.pki.leaf, 9);
    struct err_detail d = {""};
    size_t who;
    g.trusts[1].crls = &crl;
    g.trusts[1].crl_count = 1;
    assert_err(choose(*state, &g, 3, &d, &who), UNAUTHORIZED);
    assert_says(d, "is revoked");
    assert_ok(choose(*state, &g, 1, &d, &who)); /* without the groups that stand nearer */
}

static void of_many_reasons_the_nearest_miss_is_told(void **state)
{
    struct pki p = make_pki(&(struct situation){.sent = NULL});
    struct x509_trust trusts[] = {trust_of(*state, "L", &p), trust_of(*state, "S", &p), trust_of(*state, "L", &p)};
    const struct presented presented = {.leaf = made_der(*state, p.leaf),
                                        .chain = chain_of(*state, &(struct situation){.sent = NULL}, &p)};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR(ID), MADE_AT_US, NULL, NULL};
    struct err_detail d = {""}, each[3] = {{""}};
    size_t who;
    assert_err(x509_chain_check(*state, &claim, trusts, 3, &d, each, &who, NULL), UNAUTHORIZED);
    assert_says(d, "names CN=Root as its issuer");
    assert_int_equal(who, 1);
    assert_string_equal(each[1].text, d.text);
    assert_says(each[0], "itself a signing certificate");
    assert_says(each[2], "itself a signing certificate");
}

/* CAs may share a name: what counts is whose key signed the CRL. */
static void the_crl_of_a_namesake_neither_revokes_nor_hides(void **state)
{
    struct arena *a = *state;
    struct pki p = make_pki(&(struct situation){.sent = NULL});
    const struct made *namesake = make((struct wish){.cn = "Plant", .ca = true});
    const struct presented presented = {.leaf = made_der(a, p.leaf),
                                        .chain = chain_of(a, &(struct situation){.sent = NULL}, &p)};
    const struct attest_claim claim = {&presented, STR("0ne1"), STR(ID), MADE_AT_US, NULL, NULL};
    const struct bytes crls[] = {made_crl(a, namesake, p.leaf, 30), {NULL, 0}, made_crl(a, p.two, p.leaf, 9)};
    struct x509_trust trust = trust_of(a, "R", &p);
    struct err_detail d = {""};
    size_t who;
    trust.crls = crls;
    trust.crl_count = 2;
    assert_ok(x509_chain_check(a, &claim, &trust, 1, &d, NULL, &who, NULL));
    trust.crl_count = 3;
    assert_err(x509_chain_check(a, &claim, &trust, 1, &d, NULL, &who, NULL), UNAUTHORIZED);
    assert_says(d, "of CN=" ID " is revoked");
}

static void without_groups_or_a_certificate_nobody_comes_in(void **state)
{
    struct groups g = make_groups(*state, "R", "1", "2");
    const struct presented none = {.chain = chain_of(*state, &(struct situation){.sent = NULL}, &g.pki)};
    const struct attest_claim claim = {&none, STR("0ne1"), STR(ID), MADE_AT_US, NULL, NULL};
    struct err_detail d = {""};
    size_t who;
    assert_err(choose(*state, &g, 0, &d, &who), UNAUTHORIZED);
    assert_says(d, "nobody who trusts certificates");
    assert_int_equal(who, 0);
    assert_err(x509_chain_check(*state, &claim, g.trusts, 3, &d, NULL, &who, NULL), UNAUTHORIZED);
    assert_says(d, "showed no certificate");
    assert_int_equal(who, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(each_defect_refuses_with_its_reason_and_its_twin_is_admitted),
        UNIT(the_nearest_issuer_decides),
        UNIT(a_flaw_below_the_nearest_is_no_matter_for_others),
        UNIT(of_many_reasons_the_nearest_miss_is_told),
        UNIT(the_crl_of_a_namesake_neither_revokes_nor_hides),
        UNIT(without_groups_or_a_certificate_nobody_comes_in),
    };
    return cmocka_run_group_tests_name("x509_chain", tests, NULL, made_down);
}
