#pragma once
// What a node is made of. Read `node_impl::open` from top to bottom: it is the architecture.

#include "actors/caf.hpp"
#include "actors/router_actor.hpp"
#include "runtime/alarm.hpp"
#include "runtime/cluster.hpp"
#include "runtime/identity.hpp"
#include "runtime/keeper.hpp"
#include "runtime/observers/counters.hpp"
#include "runtime/observers/log.hpp"
#include "runtime/reaper.hpp"
#include "runtime/stamper.hpp"
#include <condition_variable>
#include <edupulse/node.hpp>
#include <future>
#include <map>
#include <mutex>

namespace edupulse {

class source_pump;

/// Holds the handle that rings the router, and lets go of it when the node stops: rings may come
/// from deferrals that outlive the node.
class bell {
public:
  void ring();
  void send(errand_ptr what);
  void set(caf::actor to);

private:
  std::mutex mutex_;
  caf::actor to_;
};

class node_impl final : public router_host,
                        public event_port,
                        public std::enable_shared_from_this<node_impl> {
public:
  explicit node_impl(node_options options);
  ~node_impl() override;

  /// `given`: an actor system of the application's, which must outlive the node.
  expected<void> open(caf::actor_system* given);

  // -- publishing -----------------------------------------------------------------------
  expected<receipt> publish(envelope_writer& writer, std::string_view key,
                            const publish_options& options);

  /// Of events that a source makes: what those are given that name none of their own, ...
  envelope_header absent_header();
  /// ... how they travel, and who follows them, while nobody else has `event`, ...
  receipt send_off(envelope_ptr& event, bool track);
  /// ... and at last the inbox. Errors: those of `inbox::admit`.
  expected<void> admit(envelope_ptr event, duration patience);

  // -- commands: run on the router's thread, and awaited unless that is where we are ----------
  bool has(std::string_view name);
  template <class F> auto ask(F f) -> std::invoke_result_t<F, desk&>;
  expected<void> command(std::string_view verb, std::string_view name,
                         expected<void> (router::*what)(std::uint32_t, time_point, effect_list&));
  expected<void> subscribe(std::string name, topic_filter filter, handler_recipe recipe,
                           subscription_options options);
  expected<void> unsubscribe(const std::string& name);
  expected<void> replace(const std::string& name, handler_recipe recipe);
  /// For the node to hold: its end, when that comes, holds up nobody.
  transport_ptr adopt(transport_ptr to) { return reaper_->adopt(std::move(to)); }
  /// From now on `name` is a mirror to it.
  void note_mirror(const std::string& name, transport_ptr to);
  bool has_mirror(std::string_view name);
  std::vector<mirror_status> mirrors();
  expected<void> attach_source(std::string name, source_ptr from, source_options how);
  expected<void> detach_source(std::string_view name);
  expected<void> hold_source(std::string_view name, bool held);
  std::vector<source_status> sources();
  /// See `router::change_options`. Errors: `not_found`.
  expected<void> change_options(const std::string& name, const subscription_options& to);
  expected<void> change_limits(const std::string& scope, const scope_options& to);
  expected<void> redrive(std::uint64_t letter);
  expected<void> discard(std::uint64_t letter);
  expected<std::size_t> for_all_letters(const std::string& subscription,
                                        expected<void> (node_impl::*what)(std::uint64_t));
  expected<void> ready(const std::string& topic, std::size_t n, duration patience);
  /// After the stop: as it was at the end.
  ledger_view ledger();
  expected<edupulse::cluster_ledger> cluster_ledger(duration patience);
  expected<edupulse::cluster_topics> cluster_topics(duration patience);

  // -- the end ----------------------------------------------------------------------------
  expected<void> drain(duration patience);
  stop_report stop(duration patience);

  // -- router_host ----------------------------------------------------------------------------
  time_point now() const override { return std::chrono::steady_clock::now(); }
  void arm(time_point when) override { alarm_->set(when); }
  void bury(dead_letter&& letter) override { keeper_->bury(std::move(letter)); }
  void settle_redrive(std::uint64_t letter, fate how) override;
  void unsubscribed(std::uint32_t subscription) override;
  void drained() override;
  void ledgers(effects::ledgers&& what) override;
  std::shared_ptr<const runner_surroundings> surroundings(std::uint32_t which) override;
  void started(std::uint32_t subscription, std::uint32_t lane, const caf::actor& who) override;
  void stuck(std::uint32_t subscription, bool came_back) override;

  // -- event_port -------------------------------------------------------------------------------
  expected<envelope_ptr> make(const event_type& type,
                              const std::function<void(capnp::AnyPointer::Builder)>& fill,
                              std::string_view subject, std::string_view key,
                              metadata meta) override;
  expected<void> may_publish(const envelope& event) override { return mail_->has_room(event); }
  void commit(std::vector<envelope_ptr>&& events) override { mail_->commit(std::move(events)); }
  time_point now() override { return std::chrono::steady_clock::now(); }

  const node_options& options() const noexcept { return options_; }
  const node_identity& identity() const noexcept { return identity_; }
  caf::actor_system& system() noexcept { return *system_; }
  std::vector<caf::actor> handler_actors(std::string_view subscription);
  void say(log_level level, std::string_view text) { log_->say(level, text); }
  keeper& letters() noexcept { return *keeper_; }
  std::vector<std::pair<std::string, std::uint64_t>> counters();
  std::string address() const { return cluster_ ? cluster_->address() : std::string(); }
  std::vector<member> members();
  expected<void> reload_certificates();

private:
  expected<void> open_cluster();
  expected<void> start_cluster();
  void tell_of(const membership_effects::changed& what);
  void wait_unsubscribed(const std::string& name);
  void tell_conclusions();
  void forget(dead_letter&& letter);
  expected<std::vector<dead_letter>> letters_of(const std::string& name);
  bool wait_all_down(duration patience);
  std::vector<std::shared_ptr<source_pump>> pumps();
  void quiesce_sources();
  void end_sources();
  void close_down(bool somebody_is_stuck);

  node_options options_; ///< as given, but for the name
  node_identity identity_;
  std::unique_ptr<stamper> stamper_;
  counters_observer counters_;
  std::unique_ptr<log_observer> log_;
  std::unique_ptr<keeper> keeper_;
  std::shared_ptr<bell> bell_;
  std::shared_ptr<inbox> mail_;
  std::unique_ptr<alarm> alarm_;
  std::shared_ptr<reaper> reaper_ = std::make_shared<reaper>();
  std::unique_ptr<cluster> cluster_; ///< null: alone
  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> own_system_;
  caf::actor_system* system_ = nullptr;
  caf::actor router_;

  std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  std::map<std::uint32_t, std::shared_ptr<runner_surroundings>> around_;
  std::map<std::string, std::uint32_t, std::less<>> live_;
  std::map<std::string, transport_ptr, std::less<>> mirrors_;
  std::map<std::string, std::shared_ptr<source_pump>, std::less<>> sources_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, caf::actor_addr> actors_; ///< weak
  std::map<std::uint64_t, std::promise<effects::ledgers>> ledgers_asked_for_;
  std::uint64_t next_query_ = 1;
  std::size_t stuck_ = 0;
  bool drained_ = false;
  bool stopping_ = false;
  bool stopped_ = false;
  stop_report report_;
  ledger_view last_ledger_;
};

/// Runs `f` on the router's thread and answers what it answers. On that very thread (inside an
/// inline handler) it is only begun: the answer is a default one. After the node has stopped:
/// `stopping`.
template <class F> auto node_impl::ask(F f) -> std::invoke_result_t<F, desk&> {
  using answer = std::invoke_result_t<F, desk&>;
  if (on_router_thread()) {
    auto work = std::make_shared<errand>();
    work->run = [f](desk& at) mutable { f(at); };
    bell_->send(std::move(work));
    return answer();
  }
  auto promise = std::make_shared<std::promise<answer>>();
  auto later = promise->get_future();
  auto work = std::make_shared<errand>();
  work->run = [f, promise = std::move(promise)](desk& at) mutable { promise->set_value(f(at)); };
  bell_->send(std::move(work));
  try {
    return later.get();
  } catch (const std::future_error&) { // the router is gone, and the errand with it
    if constexpr (std::is_constructible_v<answer, tl::unexpected<error>>)
      return fail(errc::stopping, "the node has stopped");
    else
      return answer();
  }
}

} // namespace edupulse
