// A plugin whose handler answers later, on its own thread or on another one, as it is set.

#include "lesson.capnp.h"
#include <edupulse/plugin.hpp>
#include <thread>

namespace {

class answerer {
public:
  explicit answerer(const edupulse::plugin_settings& settings)
      : elsewhere_(settings.flag("elsewhere")) {}
  edupulse::outcome handle(LessonPublished::Reader, edupulse::context& ctx) const {
    auto token = ctx.defer();
    if (elsewhere_)
      std::thread([token = std::move(token)]() mutable {
        token.complete(edupulse::outcome::ok());
      }).detach();
    else
      token.complete(edupulse::outcome::ok());
    return edupulse::outcome::deferred();
  }

private:
  bool elsewhere_;
};

} // namespace

EDUPULSE_PLUGIN(edupulse::plugin("late", "1.0.0")
                    .setting("elsewhere", true, "answers on a thread of its own")
                    .handler<LessonPublished, answerer>("answerer"));
