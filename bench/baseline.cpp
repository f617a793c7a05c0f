// The plain CAF pipeline: what one would write without this runtime. A guarded inbox, one router
// actor on a thread of its own, one shared batch message per handler actor. Envelopes are built the
// same way; nothing is tracked, nothing is retried, nothing downstream is bounded.

#include "bench.hpp"
#include "schemas/typed_event.hpp"
#include <caf/all.hpp>
#include <condition_variable>
#include <future>
#include <mutex>

namespace {

using edupulse::envelope_ptr;
using shared_batch = std::shared_ptr<const std::vector<envelope_ptr>>;
struct wake_up {};
struct enough {};

struct guarded_inbox {
  std::mutex mutex;
  std::condition_variable room;
  std::vector<envelope_ptr> events;
};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(shared_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(wake_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(enough)

namespace {

constexpr std::size_t inbox_events = 16384;

caf::behavior handler(caf::event_based_actor* self, std::uint64_t expected,
                      std::shared_ptr<std::promise<void>> done) {
  auto seen = std::make_shared<std::pair<std::uint64_t, std::uint64_t>>(0, 0);
  return {[=](const shared_batch& batch) {
            for (const auto& event : *batch) {
              edupulse::payload_reader reader(*event);
              const auto lesson = *edupulse::open<LessonPublished>(*event, reader);
              seen->second += lesson.getLessonId().size() + lesson.getTitle().size();
            }
            seen->first += batch->size();
            if (seen->first == expected)
              done->set_value();
          },
          [=](enough) { self->quit(); }};
}

caf::behavior router(caf::event_based_actor* self, std::shared_ptr<guarded_inbox> inbox,
                     std::vector<caf::actor> handlers) {
  return {[=](wake_up) {
            std::vector<envelope_ptr> taken;
            {
              std::lock_guard guard(inbox->mutex);
              taken.swap(inbox->events);
            }
            inbox->room.notify_all();
            if (taken.empty())
              return;
            const auto message = caf::make_message(
                shared_batch(std::make_shared<std::vector<envelope_ptr>>(std::move(taken))));
            for (const auto& to : handlers)
              self->send(to, message);
          },
          [=](enough) { self->quit(); }};
}

} // namespace

double bench::run_baseline(std::size_t handlers, std::uint64_t events) {
  caf::actor_system_config config;
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", std::size_t{2});
  config.set("scheduler.max-throughput", std::size_t{8});
  caf::actor_system system(config);
  auto inbox = std::make_shared<guarded_inbox>();
  std::vector<caf::actor> all;
  std::vector<std::future<void>> ends;
  for (std::size_t i = 0; i < handlers; ++i) {
    auto done = std::make_shared<std::promise<void>>();
    ends.push_back(done->get_future());
    all.push_back(system.spawn(handler, events, std::move(done)));
  }
  auto route = system.spawn<caf::detached>(router, inbox, all);
  edupulse::event_id_source ids(42);
  const auto self = edupulse::make_node_id(1, 2);
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < events; ++i) {
    using namespace std::chrono;
    const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    auto event = *edupulse::to_event<LessonPublished>(
        [&](auto lesson) { fill_lesson(lesson, i); },
        edupulse::envelope_header{ids.next(now), self, now, {}, {}, {}});
    bool was_empty;
    {
      std::unique_lock guard(inbox->mutex);
      inbox->room.wait(guard, [&] { return inbox->events.size() < inbox_events; });
      was_empty = inbox->events.empty();
      inbox->events.push_back(std::move(event));
    }
    if (was_empty)
      caf::anon_send(route, wake_up{});
  }
  for (auto& end : ends)
    end.wait();
  const auto took = seconds_since(start);
  caf::anon_send(route, enough{});
  for (const auto& one : all)
    caf::anon_send(one, enough{});
  return static_cast<double>(events) / took;
}
