#include "plugin_reader.hpp"

#include <edupulse/plugin.hpp>

namespace {

class reader : public bench::plugin_reader {
public:
  explicit reader(const edupulse::plugin_settings& settings)
      : plugin_reader(settings.flag("tells")) {}
};

} // namespace

EDUPULSE_PLUGIN(edupulse::plugin("bench", BENCH_VERSION)
                    .setting("tells", false, "publish an event for each event")
                    .publishes<LessonUpdated>()
                    .handler<LessonPublished, reader>("reader"));
