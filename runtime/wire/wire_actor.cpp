#include "runtime/wire/wire_actor.hpp"
#include "actors/runner.hpp"
#include "schemas/overloaded.hpp"
#include <sys/socket.h>

namespace edupulse {

namespace asks = switchboard_effects;

namespace {

/// What is still to be written when a connection is closed: a refusal, a goodbye.
constexpr auto last_words = std::chrono::seconds(1);
constexpr auto certificates_every = std::chrono::seconds(10);

} // namespace

// -- turns ----------------------------------------------------------------------------------

void wire_state::open(std::shared_ptr<wire_setup> given) {
  setup = std::move(given);
  board = std::make_unique<switchboard>(setup->core, std::move(setup->members), setup->seed);
  const auto me = caf::actor_cast<caf::actor>(self);
  dials = std::make_unique<dialer>(
      dialer::settings{.loopback_only = setup->loopback_only, .hook = setup->hook},
      [me](new_socket what) { caf_shim::send(me, std::move(what)); });
  setup->door->start([me](new_socket what) { caf_shim::send(me, std::move(what)); },
                     [host = setup->host](const std::string& text) { host->say(true, text); });
  const auto now = setup->host->now();
  next_certificates = now + certificates_every;
  if (setup->tls)
    warn_of_expiry();
  board->join(setup->seeds, now, effects);
  settle();
}

void wire_state::settle() {
  carry_out();
  send_out();
  auto due = board->next_deadline().value_or(time_point::max());
  if (setup->tls)
    due = std::min(due, next_certificates);
  for (const auto& [handle, one] : connections)
    if (one.closing)
      due = std::min(due, *one.closing);
  if (due == armed || over)
    return;
  armed = due;
  setup->host->arm_wire(due);
}

void wire_state::wake() {
  runtime_thread_mark mark(runtime_role::router); // callbacks must not wait for this thread
  const auto now = setup->host->now();
  armed = time_point::max();
  for (auto& [handle, one] : connections)
    if (one.closing && *one.closing <= now)
      end_now(one);
  if (setup->tls && now >= next_certificates) {
    next_certificates = now + certificates_every;
    check_certificates();
  }
  board->tick(now, effects);
  settle();
}

/// In order, until none is left: what is asked for may ask for more.
void wire_state::carry_out() {
  runtime_thread_mark mark(runtime_role::router); // callbacks must not wait for this thread
  for (std::size_t at = 0; at < effects.size(); ++at) {
    auto what = std::move(effects[at]); // the list may grow, and move
    perform(what);
  }
  effects.clear();
}

void wire_state::perform(switchboard_effect& what) {
  std::visit(overloaded{
                 [&](asks::write& e) { write_for_switchboard(e); },
                 [&](asks::close& e) { close(e.which); },
                 [&](asks::dial& e) { dials->dial(e.ticket, std::move(e.address)); },
                 [&](asks::session_up& e) {
                   sessions[e.with.number] = {e.with, std::make_shared<intake>()};
                   if (auto* bulk = find(e.with.bulk))
                     bulk->session = e.with.number;
                   setup->mail->leave(peer_inputs::session_up{e.with.who, e.with.number});
                   setup->host->say(false, "a session with " + quote(e.with.who.name) + " at " +
                                               quote(e.with.who.address) + " is up");
                   if (quiet)
                     quiesce();
                 },
                 [&](asks::session_lost& e) {
                   sessions.erase(e.with.number);
                   setup->mail->leave(peer_inputs::session_lost{e.with.number});
                   setup->host->say(false, "the session with " + quote(e.with.who.name) +
                                               " has ended: " + e.why);
                 },
                 [&](asks::for_router& e) { for_router(e); },
                 [&](asks::notice& e) { setup->host->say(e.trouble, e.text); },
                 [&](membership_effects::changed& e) {
                   if (e.what == member_event::dead || e.what == member_event::left)
                     setup->mail->leave(peer_inputs::gone{e.member.node, e.member.name});
                   setup->host->member_changed(e);
                 },
                 [&](membership_effects::self_changed& e) { setup->host->self_changed(e); },
             },
             what);
}

// -- sockets --------------------------------------------------------------------------------

wire_state::connection* wire_state::find(connection_id which) {
  const auto at = handles.find(which);
  return at == handles.end() ? nullptr : &connections.at(at->second);
}

wire_state::connection* wire_state::find(caf::io::connection_handle which) {
  const auto at = connections.find(which.id());
  return at == connections.end() ? nullptr : &at->second;
}

void wire_state::take(const new_socket& what) {
  const auto now = setup->host->now();
  if (what.ticket == 0)
    setup->door->arrived();
  if (over)
    return; // it closes itself
  if (!what.socket)
    board->on_dial_failed(what.ticket, what.trouble, now, effects);
  else
    make_connection(what);
  settle();
}

void wire_state::make_connection(const new_socket& what) {
  const auto now = setup->host->now();
  std::optional<tls_session> tls;
  if (setup->tls) {
    auto made = what.ticket == 0 ? setup->tls->accept() : setup->tls->connect();
    if (!made) {
      setup->host->say(true, "no TLS for a connection: " + made.error().text);
      if (what.ticket != 0)
        board->on_dial_failed(what.ticket, made.error().text, now, effects);
      return;
    }
    tls.emplace(std::move(*made));
  }
  const auto handle = self->add_scribe(what.socket->release());
  const auto id = next_id++;
  auto& one = connections[handle.id()];
  one = connection{};
  one.id = id;
  one.handle = handle;
  one.tls = std::move(tls);
  handles[id] = handle.id();
  self->ack_writes(handle, true);
  self->configure_read(handle, caf::io::receive_policy::at_most(one.reading));
  if (one.tls && what.ticket != 0)
    append(one, [&](auto& to) { static_cast<void>(one.tls->start(to)); });
  if (what.ticket == 0)
    board->on_accepted(id, what.from, now, effects);
  else
    board->on_connected(what.ticket, id, now, effects);
}

void wire_state::write_for_switchboard(const asks::write& what) {
  auto* to = find(what.to);
  if (to == nullptr)
    return;
  write(*to, what.bytes);
  if (to->pending() <= rest_max || to->closing)
    return;
  board->on_closed(what.to, "it does not read what it is told", setup->host->now(), effects);
  close(what.to);
}

void wire_state::write(connection& to, std::span<const char> bytes) {
  if (to.closing)
    return;
  append(to, [&](auto& buffer) {
    if (to.tls)
      static_cast<void>(to.tls->send(std::as_bytes(bytes), buffer));
    else
      buffer.insert(buffer.end(), bytes.begin(), bytes.end());
  });
}

void wire_state::on_data(const caf::io::new_data_msg& what) {
  runtime_thread_mark mark(runtime_role::router); // callbacks must not wait for this thread
  auto* from = find(what.handle);
  if (from == nullptr || from->closing)
    return;
  const auto bytes = std::as_bytes(std::span(what.buf));
  size_next_read(*from, bytes.size());
  if (from->tls)
    on_cipher(*from, bytes);
  else
    on_plain(*from, bytes);
  settle();
}

/// CAF fills the whole of its buffer with zeros before each read: 64 KiB take 2 us, whatever comes.
void wire_state::size_next_read(connection& of, std::size_t got) {
  const auto before = of.reading;
  if (got >= of.reading)
    of.reading = std::min(4 * of.reading, read_at_most);
  else if (got < of.reading / 16)
    of.reading = std::max(of.reading / 4, read_at_least);
  if (of.reading != before)
    self->configure_read(of.handle, caf::io::receive_policy::at_most(of.reading));
}

void wire_state::on_plain(connection& from, std::span<const std::byte> bytes) {
  const auto now = setup->host->now();
  if (!from.frame_begins)
    from.frame_begins = now;
  if (from.session != 0 && now - *from.frame_begins >= tell_arriving_every) {
    from.frame_begins = now;
    setup->mail->leave(peer_inputs::arriving{from.session});
  }
  board->on_bytes(from.id, bytes, now, effects);
}

void wire_state::on_cipher(connection& from, std::span<const std::byte> bytes) {
  const auto id = from.id;
  plain.clear();
  expected<void> good;
  append(from, [&](auto& wire) { good = from.tls->receive(bytes, plain, wire); });
  const auto now = setup->host->now();
  if (!from.secured && from.tls->peer() != nullptr) {
    from.secured = true;
    const auto& who = from.tls->peer()->who;
    board->on_secured(id, who.cluster, who.name, now, effects);
    carry_out();
  }
  auto* still = find(id);
  if (still != nullptr && !still->closing && !plain.empty())
    on_plain(*still, std::as_bytes(std::span(plain)));
  if (good)
    return;
  carry_out();
  if (find(id) == nullptr)
    return;
  ++tls_failed;
  setup->host->say(true, "TLS: " + good.error().text);
  board->on_closed(id, good.error().text, now, effects);
  close(id);
}

void wire_state::on_written(const caf::io::data_transferred_msg& what) {
  if (auto* to = find(what.handle))
    has_written(*to, what.written);
}

void wire_state::has_written(connection& to, std::uint64_t bytes) {
  to.written += bytes;
  while (!to.frames.empty() && to.frames.front().first <= to.written) {
    setup->mail->leave_written(to.frames.front().second);
    to.frames.pop_front();
  }
  if (to.closing && to.pending() == 0)
    end_now(to);
}

/// What the kernel takes at once needs no multiplexer: CAF would ask epoll to be told when the
/// socket can be written, be told, write, and ask not to be told any more. It gets the rest.
void wire_state::send_out() {
  for (const auto& handle : touched) {
    auto* to = find(handle);
    if (to == nullptr)
      continue;
    to->touched = false;
    const auto size = self->wr_buf(handle).size();
    const bool is_first = size == to->pending(); // CAF has nothing before it
    const auto sent = is_first && size <= at_once_max ? send_now(*to) : 0;
    if (!self->wr_buf(handle).empty())
      self->flush(handle);
    has_written(*to, sent);
  }
  touched.clear();
}

/// An error is left to CAF, which will meet it, too.
std::size_t wire_state::send_now(connection& to) {
  auto& buffer = self->wr_buf(to.handle);
  const auto sent = ::send(static_cast<int>(to.handle.id()), buffer.data(), buffer.size(),
                           MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent <= 0)
    return 0;
  buffer.erase(buffer.begin(), buffer.begin() + sent);
  return static_cast<std::size_t>(sent);
}

void wire_state::on_closed(const caf::io::connection_closed_msg& what) {
  const auto at = connections.find(what.handle.id());
  if (at == connections.end())
    return;
  const auto id = at->second.id;
  handles.erase(id);
  connections.erase(at);
  board->on_closed(id, "the connection has ended", setup->host->now(), effects);
  settle();
}

/// The switchboard has forgotten it already.
void wire_state::close(connection_id which) {
  auto* one = find(which);
  if (one == nullptr || one->closing)
    return;
  if (one->tls)
    append(*one, [&](auto& wire) { one->tls->close(wire); });
  one->closing = setup->host->now() + last_words;
  if (one->halted)
    self->trigger(one->handle); // the end is noticed by reading it
  if (one->pending() == 0)
    end_now(*one);
}

/// CAF's own close waits for the other end, which may never answer. This makes its next read say
/// that the connection is over; what the kernel has to send, it sends.
void wire_state::end_now(connection& which) {
  which.closing = time_point::max();
  ::shutdown(static_cast<int>(which.handle.id()), SHUT_RDWR);
}

// -- the end ---------------------------------------------------------------------------------

void wire_state::quiesce() {
  quiet = true;
  for (const auto& [number, one] : sessions)
    if (auto* from = find(one.with.bulk); from != nullptr && !from->halted) {
      self->halt(from->handle);
      from->halted = true;
    }
}

void wire_state::leave() {
  board->leave(setup->host->now(), effects);
  settle();
}

void wire_state::finish() {
  board->close_all("the node stops", setup->host->now(), effects);
  carry_out();
  send_out();
  over = true;
  dials.reset();
  setup->door.reset();
  for (auto& [handle, one] : connections)
    end_now(one);
  connections.clear();
  handles.clear();
  self->quit(caf::exit_reason::user_shutdown);
}

// -- behavior -----------------------------------------------------------------------------------

caf::behavior wire_behavior(caf::stateful_actor<wire_state, caf::io::broker>* self,
                            std::shared_ptr<wire_setup> setup) {
  caf_shim::after_spawn_or_end();
  auto* state = &caf_shim::state_of(self);
  self->set_default_handler(caf::drop);
  self->set_exit_handler([](caf::exit_msg&) {}); // nobody ends the wire but the node
  return caf_shim::on_messages(
      self, [=](const caf::io::new_data_msg& what) { state->on_data(what); },
      [=](const caf::io::data_transferred_msg& what) { state->on_written(what); },
      [=](const caf::io::connection_closed_msg& what) { state->on_closed(what); },
      [=](const wire_orders& what) { state->write_all(what); },
      [=](const new_socket& what) { state->take(what); },
      [=](const read_on& what) { state->read_again(what.session); },
      [=](begin) { state->open(setup); }, [=](wake) { state->wake(); },
      [=](const wire_errand_ptr& what) { what->run(*state); },
      [=](const finish& what) {
        state->finish();
        what.gone->set_value();
      });
}

} // namespace edupulse
