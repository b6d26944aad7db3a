/* limits.h: the rows of limits.def as constants: WEIGHT_LEAST, WEIGHT_MOST, … (its words stand in model.h). */
#ifndef IDSCOPE_LIMITS_H
#define IDSCOPE_LIMITS_H

enum limit {
#define LIMIT(name, least, most, constraints) name##_LEAST = (least), name##_MOST = (most),
#define WORDS(name, constraints, ...)
#include "limits.def"
#undef LIMIT
#undef WORDS
};

#endif
