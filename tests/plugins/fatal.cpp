// A plugin whose handler ends the process, in the way that the lesson's body says. FATAL_VERSION
// 2.0.0 does not.

#include "lesson.capnp.h"
#include "tally.capnp.h"
#include <csignal>
#include <cstdlib>
#include <edupulse/plugin.hpp>
#include <string_view>

namespace {

int use_up_the_stack(volatile int* last) { // NOLINT(misc-no-recursion)
  volatile int here[1024] = {};
  here[0] = *last;
  return *last < 0 ? 0 : use_up_the_stack(here) + here[0];
}

class doomed {
public:
  void handle(LessonPublished::Reader lesson, edupulse::context& ctx) {
    if (std::string_view(FATAL_VERSION) == "1.0.0")
      die(lesson.getBody().cStr());
    static_cast<void>(ctx.publish<Counted>([&](auto event) {
      event.setLessonId(lesson.getLessonId());
      event.setVersion(FATAL_VERSION);
    }));
  }

private:
  static void die(std::string_view how) {
    volatile int* volatile nowhere = nullptr;
    volatile int first = 0;
    if (how == "crash")
      *nowhere = 1;
    else if (how == "overflow")
      first = use_up_the_stack(&first);
    else if (how == "abort")
      std::abort();
    else if (how == "exit")
      std::exit(0);
    else if (how == "kill")
      std::raise(SIGKILL);
  }
};

} // namespace

EDUPULSE_PLUGIN(edupulse::plugin("fatal", FATAL_VERSION)
                    .publishes<Counted>()
                    .handler<LessonPublished, doomed>("handler"));
