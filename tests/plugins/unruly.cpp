// Plugins that do harm when they are loaded. UNRULY is the number of what they do.

#include "lesson.capnp.h"
#include <csignal>
#include <cstdlib>
#include <edupulse/plugin.hpp>
#include <stdexcept>

extern "C" int edupulse_test_no_such_function(); // NOLINT

namespace {

const struct harm {
  harm() {
#if UNRULY == 1
    throw std::runtime_error("thrown by a static constructor");
#elif UNRULY == 2
    std::exit(0);
#elif UNRULY == 3
    for (;;) {
      const volatile bool for_ever = true;
      static_cast<void>(for_ever);
    }
#elif UNRULY == 4
    std::raise(SIGSEGV);
#elif UNRULY == 5
    edupulse_test_no_such_function();
#endif
  }
} done;

} // namespace

EDUPULSE_PLUGIN(edupulse::plugin("unruly", "1.0.0").handler<LessonPublished>("nothing", [](auto) {
}));
