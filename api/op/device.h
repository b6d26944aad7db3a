/* device.h: what the operations of the device plane share (register.c, poll.c). */
#ifndef IDSCOPE_OP_DEVICE_H
#define IDSCOPE_OP_DEVICE_H

#include "api/call.h"
#include "core/attest/attest.h"
#include "db/device.h"

/* The device that a call is of; its ID scope is empty, so that nothing is found of it, where no instance has it. */
struct db_device device_of(struct call *r);

/* Reads the body, and takes out of it what proves who the device is. */
err_t device_body(struct call *r, struct device_registration *ret);

/* Members of features that are not offered to this device. Asked once its credential is good: whoever it is not learns
 * nothing. */
err_t device_refuse_members(struct call *r, const struct device_registration *body, const struct attest_stored *stored);

#endif
