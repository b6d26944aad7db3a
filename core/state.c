/* state.c: the two state machines, looked up in regstate.def and linkstate.def. It must hold no move of its own. */
#include "state.h"

enum { LINK_ANY = -1 };

static const struct {
    int from;
    enum reg_event event;
    int to;
} reg_moves[] = {
#define REGSTATE(from, event, to, sentence) {REG_##from, REG_EV_##event, REG_##to},
#include "regstate.def"
#undef REGSTATE
};

static const struct {
    int from;
    enum link_event event;
    int to;
} link_moves[] = {
#define LINKSTATE(from, event, to, sentence) {LINK_##from, LINK_EV_##event, LINK_##to},
#include "linkstate.def"
#undef LINKSTATE
};

int regstate_move(int from, enum reg_event event)
{
    for (size_t i = 0; i < sizeof reg_moves / sizeof *reg_moves; i++)
        if (reg_moves[i].from == from && reg_moves[i].event == event)
            return reg_moves[i].to;
    return REG_ABSENT;
}

int linkstate_move(int from, enum link_event event)
{
    for (size_t i = 0; i < sizeof link_moves / sizeof *link_moves; i++) {
        bool fits = link_moves[i].from == from || (link_moves[i].from == LINK_ANY && from != LINK_ABSENT);
        if (fits && link_moves[i].event == event)
            return link_moves[i].to;
    }
    return LINK_ABSENT;
}
