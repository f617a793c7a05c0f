// Holds the compiled sample events for all tests.
#include "lesson.capnp.h"
