/* state.h: the two state machines as data (regstate.def, linkstate.def). The only way to learn the next state. */
#ifndef IDSCOPE_STATE_H
#define IDSCOPE_STATE_H

#include "model.h"

enum reg_event { REG_EV_REGISTER, REG_EV_REGISTER_SAME, REG_EV_REGISTER_BLOCKED, REG_EV_HUB_MADE, REG_EV_NO_HUB };
enum link_event {
    LINK_EV_PROBE_GOOD,
    LINK_EV_PROBE_ONE_BAD,
    LINK_EV_PROBE_REFUSED,
    LINK_EV_PROBE_FAILED,
    LINK_EV_CREDENTIAL_GONE,
    LINK_EV_LINKED, /* this one and those below happen in SQL: idscope.link_move */
    LINK_EV_HUB_DELETED,
    LINK_EV_CREDENTIAL_CHANGE
};

/* The next status, or REG_ABSENT when the move is not in the table. */
int regstate_move(int from, enum reg_event event);
int linkstate_move(int from, enum link_event event);

#endif
