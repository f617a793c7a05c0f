// CAF's defaults are made for programs that are busy all the time. A node is mostly not, and what
// counts then is how long a message takes to be noticed: the default scheduler, `stealing`, polls
// in sleeps of 50 us; `sharing` sleeps until it is woken, and wakes in microseconds. A broker that
// reads fifty times before it looks up, another default, decodes for milliseconds while the router
// on the same thread waits with what the handlers concluded, and so the peer waits, too.

#include "runtime/caf_system.hpp"

#if EDUPULSE_CAF_MAJOR < 1
#include <caf/policy/work_sharing.hpp>
#include <caf/scheduler/coordinator.hpp>
#include <mutex>
#endif

namespace edupulse {

#if EDUPULSE_CAF_MAJOR < 1

namespace {

/// `sharing`, but it wakes a worker after it has let go of the queue. CAF's wakes first: the worker
/// runs into the lock, sleeps again and is woken a second time, in place of the thread that had
/// work for it. At 5,000 events a second that was 1.7 wake-ups for each event, and the router was
/// interrupted 1.3 times.
class prompt_sharing : public caf::policy::work_sharing {
public:
  template <class Coordinator> void enqueue(Coordinator* self, caf::resumable* job) {
    auto& shared = d(self);
    queue_type one(1, job);
    {
      const std::lock_guard guard(shared.lock);
      shared.queue.splice(shared.queue.end(), one);
    }
    shared.cv.notify_one();
  }
  template <class Coordinator> void central_enqueue(Coordinator* self, caf::resumable* job) {
    enqueue(self, job);
  }
  template <class Worker> void external_enqueue(Worker* self, caf::resumable* job) {
    enqueue(self->parent(), job);
  }
  template <class Worker> void internal_enqueue(Worker* self, caf::resumable* job) {
    enqueue(self->parent(), job);
  }
  template <class Worker> void resume_job_later(Worker* self, caf::resumable* job) {
    enqueue(self->parent(), job);
  }
};

} // namespace

void configure(caf::actor_system_config& config, std::size_t workers) {
  config.load<caf::scheduler::coordinator<prompt_sharing>>();
  config.set("scheduler.max-threads", workers);
  config.set("scheduler.max-throughput", std::size_t{8}); // one busy actor must not starve the rest
  config.set("middleman.max-consecutive-reads", std::size_t{1});
}

#else

void configure(caf::actor_system_config& config, std::size_t workers) {
  config.set("caf.scheduler.policy", "sharing");
  config.set("caf.scheduler.max-threads", workers);
  config.set("caf.scheduler.max-throughput", std::size_t{8});
  config.set("caf.middleman.max-consecutive-reads", std::size_t{1});
}

#endif

} // namespace edupulse
