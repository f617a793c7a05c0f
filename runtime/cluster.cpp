#include "runtime/cluster.hpp"
#include "runtime/chance.hpp"

namespace edupulse {

namespace {

struct profile {
  std::string_view name;
  membership_options membership;
  /// Well below the time in which a death is declared: some resets in a row are not one.
  duration redial_cap;
};

profile profile_of(network_profile which) {
  switch (which) {
  case network_profile::local:
    return {"local", local_profile(), std::chrono::milliseconds(500)};
  case network_profile::wan:
    return {"wan", wan_profile(), std::chrono::seconds(5)};
  default:
    return {"lan", lan_profile(), std::chrono::seconds(1)};
  }
}

constexpr auto max_unreachable = std::chrono::hours(24);
constexpr std::size_t min_budget = std::size_t{1} << 20;
constexpr std::size_t max_budget = std::size_t{1} << 40;

/// Errors: `invalid_option`.
expected<void> check_budgets(const cluster_options& how) {
  using std::to_string;
  if (how.budget < min_budget || how.budget > max_budget)
    return fail(errc::invalid_option, "option `cluster.budget` is " + to_string(how.budget) +
                                          " bytes: give 1 MiB to " +
                                          "1 TiB for what all members together are owed");
  if (how.peer_budget < min_budget || how.peer_budget > how.budget)
    return fail(errc::invalid_option,
                "option `cluster.peer_budget` is " + to_string(how.peer_budget) +
                    " bytes: give 1 MiB to `cluster.budget`, which is " + to_string(how.budget));
  return {};
}

/// The name that is meant when none was given.
constexpr std::string_view default_name = "node";

/// Errors: `invalid_option`, `io`.
expected<std::unique_ptr<acceptor>> open_door(const cluster_options& how) {
  const auto where = parse_host_port(how.listen);
  if (!where)
    return fail(errc::invalid_option, "option `cluster.listen`: " + where.error().text);
  const auto all = resolve(*where, true);
  if (!all)
    return fail(errc::io, "option `cluster.listen`: " + all.error().text);
  const auto& at = all->front();
  if (!at.is_loopback() && how.tls.empty() && !how.insecure_plaintext)
    return fail(errc::invalid_option,
                "option `cluster.listen`: other machines can reach " + quote(how.listen) +
                    ", so it needs `cluster.tls` (see docs/tls.md), or `insecure_plaintext` if "
                    "everybody on the network may read and publish everything");
  return acceptor::open(at);
}

/// Where others dial. Errors: `invalid_option`.
expected<std::string> advertised(const cluster_options& how, const socket_address& at) {
  if (how.advertise.empty()) {
    if (at.is_any())
      return fail(errc::invalid_option, "option `cluster.advertise` must say where others reach "
                                        "this node: nobody can dial " +
                                            quote(how.listen));
    return to_string(host_port{at.host(), at.port()});
  }
  auto where = parse_host_port(how.advertise);
  if (!where)
    return fail(errc::invalid_option, "option `cluster.advertise`: " + where.error().text);
  if (where->port == 0)
    where->port = at.port();
  return to_string(*where);
}

} // namespace

expected<std::unique_ptr<cluster>> cluster::open(const node_options& options) {
  const auto& how = options.cluster;
  std::unique_ptr<cluster> made(new cluster);
  if (how.listen.empty())
    return fail(errc::invalid_option, "option `cluster.join` needs `cluster.listen`: members dial "
                                      "each other");
  if (!is_identity_name(how.name) || how.name.size() > 63)
    return fail(errc::invalid_option,
                "option `cluster.name` is 1 to 63 of [A-Za-z0-9._-], and not " + quote(how.name));
  for (const auto& seed_address : how.join)
    if (auto good = parse_host_port(seed_address); !good)
      return fail(errc::invalid_option, "option `cluster.join`: " + good.error().text);
  if (how.unreachable_after < duration::zero() || how.unreachable_after > max_unreachable)
    return fail(errc::invalid_option, "option `cluster.unreachable_after` is 0 to 24 hours: what a "
                                      "dead node is owed is kept for so long");
  if (auto good = check_budgets(how); !good)
    return tl::unexpected<error>(good.error());
  if (!how.tls.empty()) {
    auto tls = tls_context::open(tls_files::in(how.tls, how.name));
    if (!tls)
      return tl::unexpected<error>(tls.error());
    made->tls_ = std::move(*tls);
  }
  auto door = open_door(how);
  if (!door)
    return tl::unexpected<error>(door.error());
  auto address = advertised(how, (*door)->where());
  if (!address)
    return tl::unexpected<error>(address.error());
  auto name = options.name;
  if (name == default_name)
    name = made->tls_ ? made->tls_->self().name : *address;
  if (made->tls_ && made->tls_->self().name != name)
    return fail(errc::invalid_option, "option `name` is " + quote(name) +
                                          ", and the certificate in `cluster.tls` is that of " +
                                          quote(made->tls_->self().name));
  made->how_ = how;
  made->door_ = std::move(*door);
  made->self_ = {{}, 0, draw_number(), std::move(name), how.name, *address};
  made->max_event_bytes_ = options.max_event_bytes;
  made->loopback_only_ = !made->tls_ && !how.insecure_plaintext;
  return made;
}

cluster::~cluster() { stop(); }

expected<void> cluster::start(surroundings around) {
  around_.emplace(std::move(around));
  if (!around_->system.has_middleman())
    return fail(errc::invalid_option, "the actor system that was given to the node has no I/O "
                                      "middleman: load caf::io::middleman in its configuration");
  self_.node = around_->identity.id;
  self_.boot_epoch = around_->identity.epoch;
  const auto among = profile_of(how_.profile);
  auto members = edupulse::membership::make(among.membership, self_, {}, around_->seed);
  if (!members)
    return tl::unexpected<error>(members.error());
  if (!tls_ && how_.insecure_plaintext)
    around_->say(log_level::error, // whatever else is not to be logged
                 "insecure_plaintext is set: whoever can reach " + self_.address +
                     " can read and publish everything of cluster " + how_.name);
  switchboard::settings core;
  core.max_event_bytes = static_cast<std::uint32_t>(max_event_bytes_);
  core.secure = tls_ != nullptr;
  core.redial.cap = among.redial_cap;
  core.agreed = {{"max_event_bytes", std::to_string(max_event_bytes_)},
                 {"profile", std::string(among.name)}};
  auto setup = std::make_shared<wire_setup>(
      wire_setup{std::move(core), std::move(*members), around_->seed + 1, how_.join, around_->mail,
                 this, std::move(door_), tls_, loopback_only_, how_.hook});
  alarm_ = std::make_unique<alarm>([this] { caf_shim::send(wire_, wake{}); });
  caf_shim::before_spawn_or_end();
  auto spawned = around_->system.middleman().spawn_broker(wire_behavior, std::move(setup));
  wire_ = caf::actor_cast<caf::actor>(spawned);
  caf_shim::send(wire_, begin{});
  return {};
}

namespace {
caf::behavior router_beside_wire(caf::stateful_actor<router_state, caf::io::broker>* self,
                                 router_setup setup) {
  return router_messages(self, std::move(setup));
}
} // namespace

caf::actor cluster::spawn_router(router_setup setup) {
  setup.wire = wire_;
  setup.shares_thread = true;
  return caf::actor_cast<caf::actor>(
      around_->system.middleman().spawn_broker(router_beside_wire, std::move(setup)));
}

// -- asking ---------------------------------------------------------------------------------

/// Runs `f` on the multiplexer's thread and waits for its answer. After the stop, and on that very
/// thread (an inline handler, or a sink of the log): `otherwise`.
template <class F, class T> T cluster::ask(F f, T otherwise) {
  auto promise = std::make_shared<std::promise<T>>();
  auto later = promise->get_future();
  auto work = std::make_shared<wire_errand>();
  work->run = [f, promise = std::move(promise)](wire_state& at) { promise->set_value(f(at)); };
  {
    // A broker that has quit leaves its mailbox open, and nobody would ever look into it: what is
    // sent with the lock held comes before `finish`, and is answered.
    std::lock_guard guard(mutex_);
    if (stopped_ || on_router_thread())
      return otherwise;
    caf_shim::send(wire_, std::move(work));
  }
  try {
    return later.get();
  } catch (const std::future_error&) { // the wire is gone, and the errand with it
    return otherwise;
  }
}

std::vector<member> cluster::members() {
  const auto list = [](wire_state& at) {
    std::vector<member> all;
    for (const auto& one : at.core().members().members()) {
      member seen;
      seen.name = one.name;
      seen.id = one.node;
      seen.epoch = one.boot_epoch;
      seen.address = one.address;
      seen.state = one.state;
      seen.self = all.empty();
      seen.connected = at.core().is_connected(one.node);
      all.push_back(std::move(seen));
    }
    return all;
  };
  return ask(list, std::vector<member>());
}

std::vector<std::pair<std::string, std::uint64_t>> cluster::counters() {
  using counts = std::vector<std::pair<std::string, std::uint64_t>>;
  const auto list = [](wire_state& at) {
    const auto& seen = at.core().counted();
    const auto& heard = at.core().members().counts();
    return counts{{"connections.accepted", seen.accepted},
                  {"connections.strangers_refused", seen.strangers_refused},
                  {"connections.too_slow", seen.too_slow},
                  {"connections.broken", seen.broken},
                  {"connections.tls_failed", at.tls_failures()},
                  {"hellos.refused", seen.refused},
                  {"dials.made", seen.dials},
                  {"dials.failed", seen.dials_failed},
                  {"sessions.duplicate", seen.duplicates},
                  {"sessions.cut", seen.cut},
                  {"membership.malformed", heard.malformed},
                  {"membership.wrong_cluster", heard.wrong_cluster},
                  {"membership.wrong_sender", heard.wrong_sender},
                  {"membership.fenced", heard.fenced},
                  {"membership.forged_inc", heard.forged_inc},
                  {"membership.rate_limited", heard.rate_limited},
                  {"membership.table_full", heard.table_full},
                  {"membership.quarantined", heard.quarantined},
                  {"membership.refutations", heard.refutations},
                  {"membership.pauses", heard.pauses}};
  };
  return ask(list, counts());
}

expected<void> cluster::reload_certificates() {
  const expected<void> no = fail(errc::refused, "certificates are not read again while the node "
                                                "stops, nor on the thread of its wire");
  return ask([](wire_state& at) { return at.reload(); }, no);
}

void cluster::quiesce() {
  const auto told = [](wire_state& at) {
    at.quiesce();
    return true;
  };
  ask(told, false);
}

void cluster::leave() {
  const auto told = [](wire_state& at) {
    at.leave();
    return true;
  };
  ask(told, false);
  std::unique_lock guard(mutex_);
  changed_.wait_for(guard, std::chrono::seconds(3), [&] { return over_ || stopped_; });
}

void cluster::stop() {
  {
    std::lock_guard guard(mutex_);
    if (std::exchange(stopped_, true) || !wire_)
      return;
  }
  auto gone = std::make_shared<std::promise<void>>();
  auto later = gone->get_future();
  caf_shim::send(wire_, finish{std::move(gone)});
  try {
    later.get();
  } catch (const std::future_error&) {
  }
  alarm_.reset();
  caf::actor last; // outlives the guard: whatever its end does must not meet the lock
  std::lock_guard guard(mutex_);
  last = std::exchange(wire_, nullptr);
}

// -- wire_host --------------------------------------------------------------------------------

void cluster::say(bool trouble, std::string_view text) {
  std::string line(text);
  {
    std::lock_guard guard(mutex_);
    if (!says_.allow(now())) {
      ++unsaid_;
      return;
    }
    if (const auto unsaid = std::exchange(unsaid_, 0); unsaid > 0)
      line += " (and " + std::to_string(unsaid) + " lines before this one were left out)";
  }
  around_->say(trouble ? log_level::warning : log_level::info, line);
}

void cluster::member_changed(const membership_effects::changed& what) { around_->changed(what); }

void cluster::self_changed(const membership_effects::self_changed& what) {
  const bool trouble = what.now == self_state::fenced;
  around_->say(trouble ? log_level::error : log_level::info,
               "this node is " + std::string(to_string(what.now)) +
                   (what.text.empty() ? "" : ": " + what.text));
  if (trouble)
    fenced(what);
  std::lock_guard guard(mutex_);
  over_ = what.now >= self_state::left;
  changed_.notify_all();
}

/// This node's id runs elsewhere. Whoever publishes here learns it, and so do those who watch.
void cluster::fenced(const membership_effects::self_changed& what) {
  auto text = "this node was started again, as epoch " + std::to_string(what.later_epoch) + " at " +
              quote(what.text);
  member_status self; // field by field: the release build warns of a list
  self.node = self_.node;
  self.name = self_.name;
  self.address = self_.address;
  self.boot_epoch = self_.boot_epoch;
  self.state = member_state::left;
  around_->changed({member_event::replaced, std::move(self), self_.node, text});
  around_->mail->leave(peer_inputs::fenced{});
  around_->mail->close({errc::fenced, text + ": this start is over, and nothing was accepted. Stop "
                                             "it, and give each node a data directory of its own"});
}

} // namespace edupulse
